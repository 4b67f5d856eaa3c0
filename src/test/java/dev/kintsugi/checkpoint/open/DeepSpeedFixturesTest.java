package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Note;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Real DeepSpeed checkpoints against the weights gathered from the live engine.
class DeepSpeedFixturesTest {
    private static Path fixture(String name) {
        return Golden.resource("deepspeed").resolve(name);
    }

    private static Checkpoint open(Path... paths) {
        return Checkpoints.open(List.of(paths), OpenOptions.defaults(), Job.quiet());
    }

    static Stream<String> cases() throws IOException {
        try (Stream<Path> list = Files.list(Golden.resource("deepspeed"))) {
            return list.map(p -> p.getFileName().toString()).sorted().toList().stream();
        }
    }

    static void assertHolds(Checkpoint checkpoint, Path expected) {
        SequencedMap<String, Golden.Values> goldens = Golden.read(expected);
        assertTrue(goldens.size() > 5, "the golden file has tensors");
        Set<String> names = new TreeSet<>(checkpoint.tensors().names());
        names.removeIf(n -> kind(checkpoint, n).startsWith("shared"));
        assertEquals(new TreeSet<>(goldens.keySet()), names);
        for (Map.Entry<String, Golden.Values> golden : goldens.entrySet()) {
            Tensor tensor = checkpoint.tensors().tensor(golden.getKey());
            assertEquals(golden.getValue().spec(), tensor.spec(), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 1 << 20), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 7), golden.getKey() + " in blocks of 7");
        }
    }

    private static String kind(Checkpoint checkpoint, String name) {
        return checkpoint.layouts().get(name).kind();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyTensorComesBackBitForBit(String name) {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
            assertEquals(
                    Optional.of(fixture(name + "/input").toAbsolutePath()),
                    checkpoint.sidecars().map(Path::toAbsolutePath));
            assertEquals(Optional.of("DeepSpeed 0.19.6"), checkpoint.writtenBy());
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void roundedOnceTheMastersAreTheLiveWeights(String name) {
        Path expected = fixture(name + "/expected_16bit/model.safetensors");
        if (!Files.exists(expected)) {
            assertTrue(name.startsWith("zero0") || name.contains("fp32_w"), "every other case has 16-bit weights");
            return;
        }
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            Golden.read(expected).forEach((tensor, golden) -> {
                Tensor master = checkpoint.tensors().tensor(tensor);
                assertEquals(DType.F32, master.spec().dtype());
                assertArrayEquals(golden.bytes(), rounded(master, golden.spec().dtype()), tensor);
            });
        }
    }

    private static byte[] rounded(Tensor tensor, DType dtype) {
        int count = Math.toIntExact(tensor.spec().elementCount());
        float[] values = new float[count];
        Elements.toFloats(DType.F32, MemorySegment.ofArray(Golden.bytes(tensor, 1 << 20)), values, count);
        byte[] bytes = new byte[count * dtype.byteWidth()];
        Elements.fromFloats(dtype, values, MemorySegment.ofArray(bytes), count);
        return bytes;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void thePiecesTileEveryTensorAndLieWhereTheySay(String name) throws IOException {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            for (Map.Entry<String, Tensor> entry :
                    checkpoint.tensors().tensors().entrySet()) {
                Layout layout = checkpoint.layouts().get(entry.getKey());
                AssembledTensor.checkTiling(
                        layout.spec().shape(),
                        layout.pieces().stream().map(Piece::global).toList());
                if (layout.kind().equals("flat")) {
                    assertArrayEquals(
                            firstElement(layout, entry.getValue()),
                            Arrays.copyOf(
                                    Golden.bytes(entry.getValue(), 1 << 20),
                                    firstElement(layout, entry.getValue()).length));
                }
            }
        }
    }

    /// The first element straight from the file, for tensors that are not widened.
    private static byte[] firstElement(Layout layout, Tensor tensor) throws IOException {
        Piece piece = layout.pieces().getFirst();
        String file = piece.file().getFileName().toString();
        if (file.endsWith("model_states.pt")) {
            return new byte[0];
        }
        byte[] all = Files.readAllBytes(piece.file());
        int at = Math.toIntExact(piece.byteOffset());
        return Arrays.copyOfRange(all, at, at + tensor.spec().dtype().byteWidth());
    }

    @Test
    void theUniversalTagGivesTheSameModel() {
        try (Checkpoint checkpoint = open(fixture("zero2_bf16_w2_universal/input/global_step2_universal"))) {
            assertHolds(checkpoint, fixture("zero2_bf16_w2_universal/expected/model.safetensors"));
            assertEquals("DeepSpeed universal", checkpoint.format());
            assertEquals(17, checkpoint.files().size() + 1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"zero2_bf16_w2", "zero3_bf16_w3_tied"})
    void aTagOrAFileInItOpensTheSameModel(String name) {
        Path tag = fixture(name + "/input/global_step2");
        try (Checkpoint checkpoint = open(tag)) {
            assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
        }
        try (Checkpoint checkpoint = open(tag.resolve("bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"))) {
            assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
        }
    }

    @Test
    void theStageIsSaidAlsoWhereTheOptimizerDoesNotKnowIt() {
        try (Checkpoint one = open(fixture("zero1_bf16_w2_fp32_accum/input"));
                Checkpoint two = open(fixture("zero2_bf16_w2/input"));
                Checkpoint three = open(fixture("zero3_fp16_w2/input"))) {
            assertEquals("DeepSpeed ZeRO-1", one.format());
            assertEquals("DeepSpeed ZeRO-2", two.format());
            assertEquals("DeepSpeed ZeRO-3", three.format());
        }
    }

    @Test
    void sharedParametersHaveBothNames() {
        for (String name : List.of("zero2_bf16_w3_tied", "zero3_bf16_w3_tied")) {
            try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
                assertEquals("shared with model.embed_tokens.weight", kind(checkpoint, "lm_head.weight"));
                assertArrayEquals(
                        Golden.bytes(checkpoint.tensors().tensor("model.embed_tokens.weight"), 1 << 20),
                        Golden.bytes(checkpoint.tensors().tensor("lm_head.weight"), 1 << 20));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"zero1_bf16_w2_frozen", "zero2_bf16_w2_frozen", "zero3_bf16_w2_frozen"})
    void frozenParametersAreWidenedAndSaid(String name) {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            String notes = checkpoint.notes().toString();
            assertTrue(notes.contains("13 tensors without F32 masters"), notes);
            assertTrue(notes.contains("BF16"), notes);
        }
    }

    @Test
    void rankViewsHoldEachRanksElementsInFileOrder() {
        try (Checkpoint checkpoint = open(fixture("zero2_bf16_w3_tied/input"))) {
            assertEquals(List.of(0, 1, 2), List.copyOf(checkpoint.ranks().keySet()));
            long total = checkpoint.ranks().values().stream()
                    .mapToLong(r -> r.elementCount())
                    .sum();
            assertEquals(2748 + 2748 + 2744, total);
            assertEquals(2748, checkpoint.ranks().get(1).elementCount());
            assertEquals(
                    "model.embed_tokens.weight",
                    checkpoint.ranks().get(0).names().getFirst());
        }
    }

    @Test
    void latestChoosesBetweenTagsAndTheOthersAreNamed() {
        Path input = fixture("zero2_fp32_w2_two_saves/input");
        try (Checkpoint checkpoint = open(input)) {
            assertTrue(checkpoint.ignored().contains("global_step1 (another tag)"), checkpoint.ignored()::toString);
            assertTrue(
                    checkpoint.notes().contains(Note.information("latest names global_step3 of 2 tags")),
                    checkpoint.notes()::toString);
        }
        try (Checkpoint first = open(input.resolve("global_step1"));
                Checkpoint third = open(input.resolve("global_step3"))) {
            byte[] before = Golden.bytes(first.tensors().tensor("lm_head.weight"), 1 << 20);
            byte[] after = Golden.bytes(third.tensors().tensor("lm_head.weight"), 1 << 20);
            assertTrue(!Arrays.equals(before, after), "the tags hold different steps");
        }
    }
}
