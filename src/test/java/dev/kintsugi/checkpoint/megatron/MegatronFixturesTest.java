package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Checkpoints that Megatron-LM 0.12, 0.15 and 0.20 wrote against the Hugging Face models they were made of.
class MegatronFixturesTest {
    private static Path fixture(String name) {
        return Golden.resource("megatron").resolve(name);
    }

    static Stream<String> cases() {
        try (Stream<Path> list = Files.list(Golden.resource("megatron"))) {
            return list.map(p -> String.valueOf(p.getFileName())).sorted().toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet());
    }

    static void assertHolds(Checkpoint checkpoint, Path expected) {
        SequencedMap<String, Golden.Values> goldens = Golden.read(expected);
        assertTrue(goldens.size() > 5, "the golden file has tensors");
        assertEquals(
                goldens.keySet().stream().sorted().toList(),
                checkpoint.tensors().names().stream().sorted().toList());
        for (Map.Entry<String, Golden.Values> golden : goldens.entrySet()) {
            Tensor tensor = checkpoint.tensors().tensor(golden.getKey());
            assertEquals(golden.getValue().spec(), tensor.spec(), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 1 << 20), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 7), golden.getKey() + " in blocks of 7");
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyTensorComesBackBitForBit(String name) {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
            assertTrue(checkpoint.format().startsWith("Megatron"), checkpoint.format());
            assertTrue(checkpoint.sidecars().isPresent());
            checkpoint.checkUnchanged();
        }
    }

    /// What the pieces say of file and byte must be what the tensor reads.
    @ParameterizedTest
    @MethodSource("cases")
    void everyPieceLiesWhereItsLayoutSays(String name) throws IOException {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            for (String tensorName : checkpoint.tensors().names()) {
                Tensor tensor = checkpoint.tensors().tensor(tensorName);
                Layout layout = Optional.ofNullable(checkpoint.layouts().get(tensorName))
                        .orElseThrow();
                assertEquals(tensor.spec(), layout.spec(), tensorName);
                assertEquals(layout.meshDims().size(), layout.placements().size(), tensorName);
                byte[] whole = Golden.bytes(tensor, 1 << 20);
                long covered = 0;
                for (Piece piece : layout.pieces()) {
                    assertArrayEquals(
                            cut(whole, tensor, piece.global()), onDisk(tensor, piece), tensorName + " " + piece);
                    covered += piece.replica() ? 0 : piece.global().elementCount();
                }
                assertEquals(tensor.spec().elementCount(), covered, tensorName);
            }
        }
    }

    private static byte[] onDisk(Tensor tensor, Piece piece) throws IOException {
        byte[] bytes = new byte
                [Math.toIntExact(
                        piece.global().elementCount() * tensor.spec().dtype().byteWidth())];
        try (RandomAccessFile file = new RandomAccessFile(piece.file().toFile(), "r")) {
            file.seek(piece.byteOffset());
            file.readFully(bytes);
        }
        return bytes;
    }

    private static byte[] cut(byte[] whole, Tensor tensor, Region region) {
        int width = tensor.spec().dtype().byteWidth();
        if (region.ndim() == 1) {
            return Arrays.copyOfRange(whole, (int) region.offset().dim(0) * width, (int) region.end(0) * width);
        }
        int columns = (int) region.shape().dim(1);
        byte[] cut = new byte[(int) region.elementCount() * width];
        for (int row = 0; row < region.shape().dim(0); row++) {
            long from = (region.offset().dim(0) + row) * tensor.spec().shape().dim(1)
                    + region.offset().dim(1);
            System.arraycopy(whole, (int) from * width, cut, row * columns * width, columns * width);
        }
        return cut;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theStepItselfOpensToo(String name) throws IOException {
        try (Stream<Path> list = Files.list(fixture(name + "/input"))) {
            for (Path step : list.filter(Files::isDirectory)
                    .filter(p -> !p.endsWith("huggingface"))
                    .toList()) {
                Path config = Files.isDirectory(fixture(name + "/huggingface"))
                        ? fixture(name + "/huggingface")
                        : fixture(name + "/input/huggingface");
                OpenOptions options =
                        new OpenOptions(Optional.of("megatron"), Optional.empty(), Optional.of(config), false);
                try (Checkpoint checkpoint = Checkpoints.open(List.of(step), options, Job.quiet())) {
                    assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
                }
            }
        }
    }

    @Test
    void optimizerAndRandomStateAreNamedAsLeftOut() {
        try (Checkpoint checkpoint = open(fixture("verl_llama_tp2_dp2_optimizer/input"))) {
            String ignored = checkpoint.ignored().toString();
            assertTrue(ignored.contains("optimizer.state.fp32_param.output_layer.weight (F32 [64, 16])"), ignored);
            assertTrue(ignored.contains("rng_state ×2"), ignored);
            assertTrue(ignored.contains("decoder.layers.mlp.linear_fc1._extra_state ×2"), ignored);
        }
        try (Checkpoint checkpoint = open(fixture("legacy_llama_tp2_optimizer/input"))) {
            assertTrue(
                    checkpoint.ignored().contains("optimizer"),
                    checkpoint.ignored().toString());
        }
    }

    @Test
    void cutPaddingIsProvenInANote() {
        for (String name :
                List.of("train20_llama_padded_tp2", "train_qwen2_padded_tp2_pp2", "legacy_qwen2_padded_tp2_pp2")) {
            try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
                String notes = checkpoint.notes().toString();
                assertTrue(
                        notes.contains("embedding.word_embeddings.weight: 6 rows of padding cut, 90 of 96 kept: "
                                + "96 is 90 rounded up to a multiple of"),
                        notes);
                List<Piece> pieces = Optional.ofNullable(checkpoint.layouts().get("lm_head.weight"))
                        .orElseThrow()
                        .pieces();
                assertEquals(6 * 32, pieces.getLast().trimmedElements());
            }
        }
    }

    @Test
    void theLastStagesCopyOfATiedEmbeddingIsAReplica() {
        for (String name : List.of("legacy_qwen2_tied_padded_tp2_pp2", "classic_llama_tied_tp2_pp2")) {
            try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
                assertFalse(checkpoint.tensors().has("lm_head.weight"));
                assertTrue(
                        checkpoint.notes().toString().contains("copy of the tied embedding"),
                        checkpoint.notes().toString());
                List<Piece> pieces = Optional.ofNullable(checkpoint.layouts().get("model.embed_tokens.weight"))
                        .orElseThrow()
                        .pieces();
                assertEquals(2, pieces.stream().filter(Piece::replica).count());
            }
        }
    }

    @Test
    void layoutsTellStageExpertRankAndSplit() {
        try (Checkpoint checkpoint = open(fixture("legacy_qwen3moe_ep2_pp2_local/input"))) {
            Layout expert = Optional.ofNullable(checkpoint.layouts().get("model.layers.1.mlp.experts.3.up_proj.weight"))
                    .orElseThrow();
            assertEquals(List.of("pp=2", "ep=2"), expert.meshDims());
            assertEquals(List.of("Stage(1)", "Rank(1)"), expert.placements());
            assertEquals(
                    "pp=2 × dp=1 × ep=2 × tp=1", checkpoint.mesh().orElseThrow().toString());
            assertEquals(4, checkpoint.ranks().size());
        }
        try (Checkpoint checkpoint = open(fixture("verl_qwen2_tp2_pp2/input"))) {
            Layout query = Optional.ofNullable(checkpoint.layouts().get("model.layers.3.self_attn.q_proj.weight"))
                    .orElseThrow();
            assertEquals("decoder.layers.self_attention.linear_qkv.weight", query.storedName());
            assertEquals("Megatron query groups", query.kind());
            assertEquals("decoder.layers.3.self_attention.linear_qkv.weight", query.ownName());
            assertEquals(
                    List.of("query group 0 of 2", "query group 1 of 2"),
                    query.pieces().stream()
                            .map(p -> Piece.Part.text(
                                    List.of(p.cut().orElseThrow().part().orElseThrow())))
                            .toList());
            assertEquals(List.of("pp=2", "tp=2"), query.meshDims());
            assertEquals(List.of("Stage(1)", "Shard(0)"), query.placements());
            assertEquals("pp=2 × dp=1 × tp=2", checkpoint.mesh().orElseThrow().toString());
        }
    }

    @Test
    void virtualStagesAreToldByTheNamesInTheFile() {
        try (Checkpoint checkpoint = open(fixture("legacy_qwen3_pp2_vpp2/input"))) {
            Layout layout = Optional.ofNullable(checkpoint.layouts().get("model.layers.2.mlp.down_proj.weight"))
                    .orElseThrow();
            assertEquals("decoder.layers.2.mlp.linear_fc2.weight", layout.ownName());
            assertEquals("model1.decoder.layers.0.mlp.linear_fc2.weight", layout.storedName());
            assertEquals(List.of("Stage(0)"), layout.placements());
        }
    }

    /// Two ranks, of which one has tensor- and expert-parallel rank 0, the other 1 of both.
    @ParameterizedTest
    @ValueSource(strings = {"verl_qwen2moe_tp2_ep2/input", "legacy_qwen3moe_tp2_ep2/input"})
    void aGridThatRanksDoNotFillIsAMeshWithHoles(String name) {
        try (Checkpoint checkpoint = open(fixture(name))) {
            DeviceMesh mesh = checkpoint.mesh().orElseThrow();
            assertEquals("pp=1 × dp=1 × ep=2 × tp=2", mesh.toString());
            assertArrayEquals(new int[] {0, DeviceMesh.NO_RANK, DeviceMesh.NO_RANK, 1}, mesh.ranks());
            assertEquals(2, mesh.size());
            assertEquals(
                    List.of("pp=0 dp=0 ep=0 tp=1", "pp=0 dp=0 ep=1 tp=0"),
                    mesh.holes().stream().map(mesh::text).toList());
            Layout expert = Optional.ofNullable(checkpoint.layouts().get("model.layers.1.mlp.experts.3.up_proj.weight"))
                    .orElseThrow();
            assertEquals(List.of("ep=2"), expert.meshDims());
            assertEquals(List.of("Rank(1)"), expert.placements());
        }
    }

    @Test
    void aLaterIterationIsChosenByTheTrackerFile() {
        try (Checkpoint checkpoint = open(fixture("legacy_llama_release/input"))) {
            assertTrue(checkpoint.directories().getFirst().endsWith("release"));
        }
    }
}
