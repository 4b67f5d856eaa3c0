package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.MeshOverride;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Real checkpoints against the tensors that torch and transformers themselves gathered.
class FsdpFixturesTest {
    @TempDir
    Path scratch;

    private static Path fixture(String name) {
        return Golden.resource("fsdp").resolve(name);
    }

    private static Checkpoint open(Path... paths) {
        return Checkpoints.open(List.of(paths), OpenOptions.defaults(), Job.quiet());
    }

    private static Fault refused(OpenOptions options, Path... paths) {
        return assertThrows(
                Fault.class,
                () -> Checkpoints.open(List.of(paths), options, Job.quiet()).close());
    }

    private static void assertHolds(Checkpoint checkpoint, Path expected) {
        SequencedMap<String, Golden.Values> goldens = Golden.read(expected);
        assertTrue(goldens.size() > 5, "the golden file has tensors");
        for (Map.Entry<String, Golden.Values> golden : goldens.entrySet()) {
            Tensor tensor = checkpoint.tensors().tensor(golden.getKey());
            assertEquals(golden.getValue().spec(), tensor.spec(), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 1 << 20), golden.getKey());
            assertArrayEquals(golden.getValue().bytes(), Golden.bytes(tensor, 7), golden.getKey() + " in blocks of 7");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fsdp1_4",
                "fsdp1_1",
                "fsdp2_4",
                "fsdp2_uneven_3",
                "hsdp_2x2",
                "hsdp_2x1",
                "fsdp_tp_2x2",
                "dp_tp_uneven_4x2",
                "replicate_and_shard1",
                "padded_3",
                "tied_2",
                "value_2",
                "legacy_shardedtensor_2"
            })
    void everyTensorComesBackBitForBit(String name) {
        try (Checkpoint checkpoint = open(fixture(name + "/ckpt"))) {
            assertHolds(checkpoint, fixture(name + "/expected/model.safetensors"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"2_4", "2_6", "2_8", "2_10", "2_13"})
    void meshesOfOlderTorchAreRead(String era) {
        try (Checkpoint checkpoint = open(fixture("eras_hsdp_2x2/ckpt_torch_" + era))) {
            assertHolds(checkpoint, fixture("eras_hsdp_2x2/expected/model.safetensors"));
            assertEquals(List.of("ddp", "fsdp"), checkpoint.mesh().orElseThrow().dimNames());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"default", "hsdp", "hsdp_dedup_lowest"})
    void dcpFoldersGiveTheModelAndNameWhatElseTheyHold(String folder) {
        try (Checkpoint checkpoint = open(fixture("dcp_4/ckpt/" + folder))) {
            assertHolds(checkpoint, fixture("dcp_4/expected/model.safetensors"));
            assertTrue(
                    checkpoint.ignored().contains("step"), checkpoint.ignored().toString());
            assertTrue(
                    checkpoint.ignored().contains("buffer (I64 [6])"),
                    checkpoint.ignored().toString());
        }
    }

    @Test
    void aParentOfSeveralCheckpointsNamesThem() {
        Fault fault = refused(OpenOptions.defaults(), fixture("dcp_4/ckpt"));
        assertEquals(Code.K2002, fault.code());
        assertTrue(fault.why().contains("hsdp_dedup_lowest"), fault.why());
    }

    @Test
    void partialIsRefusedByName() {
        Fault fault = refused(OpenOptions.defaults(), fixture("partial_2/ckpt"));
        assertEquals(Code.K4001, fault.code());
        assertEquals(Status.REFUSED, fault.status());
        assertTrue(fault.what().startsWith("pending.weight"), fault.what());
    }

    @Test
    void paddingIsTrimmedAndSaid() {
        try (Checkpoint checkpoint = open(fixture("padded_3/ckpt"))) {
            assertTrue(checkpoint.notes().toString().contains("trimmed 45 elements"), checkpoint.notes()::toString);
        }
    }

    @Test
    void plainTensorsSayWhatWasDecided() {
        try (Checkpoint checkpoint = open(fixture("replicate_and_shard1/ckpt"))) {
            String notes = checkpoint.notes().toString();
            assertTrue(notes.contains("4 tensors without placement metadata are equal on all ranks"), notes);
            assertTrue(notes.contains("3 tensors without placement metadata differ between ranks"), notes);
        }
    }

    private Path copy(String name) throws IOException {
        Path source = fixture(name + "/ckpt");
        Path target = Files.createDirectories(scratch.resolve("step_7/actor"));
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = target.resolve(source.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        return target;
    }

    @Test
    void aParentDirectoryIsWalkedDown() throws IOException {
        copy("fsdp2_4");
        try (Checkpoint checkpoint = open(scratch)) {
            assertHolds(checkpoint, fixture("fsdp2_4/expected/model.safetensors"));
        }
    }

    @Test
    void aMissingRankIsNamedWithTheRemedy() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.delete(directory.resolve("model_world_size_4_rank_2.pt"));
        Fault fault = refused(OpenOptions.defaults(), directory);
        assertEquals(Code.K3001, fault.code());
        assertEquals(Status.CORRUPT, fault.status());
        assertTrue(fault.what().contains("have ranks 0-1, 3, missing 2"), fault.what());
        assertTrue(fault.next().contains("--allow-missing"), fault.next());
    }

    @Test
    void allowMissingOpensTheRestAndMarksTheHoles() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.delete(directory.resolve("model_world_size_4_rank_2.pt"));
        OpenOptions options = new OpenOptions(Optional.empty(), Optional.empty(), Optional.empty(), true);
        try (Checkpoint checkpoint = Checkpoints.open(List.of(directory), options, Job.quiet())) {
            assertEquals(List.of(0, 1, 3), List.copyOf(checkpoint.ranks().keySet()));
            assertEquals("missing", checkpoint.files().get(2).status());
            assertTrue(checkpoint.notes().toString().contains("27 tensors have holes"), checkpoint.notes()::toString);
        }
    }

    @Test
    void aMissingReplicaIsNoLoss() throws IOException {
        Path directory = copy("hsdp_2x2");
        Files.delete(directory.resolve("model_world_size_4_rank_0.pt"));
        Files.delete(directory.resolve("model_world_size_4_rank_3.pt"));
        try (Checkpoint checkpoint = open(directory)) {
            assertHolds(checkpoint, fixture("hsdp_2x2/expected/model.safetensors"));
            assertTrue(checkpoint.notes().toString().contains("ranks 0, 3 are missing"), checkpoint.notes()::toString);
        }
    }

    @Test
    void ranksFromSeveralDirectoriesAreOneCheckpoint() throws IOException {
        Path directory = copy("fsdp2_4");
        Path other = Files.createDirectories(scratch.resolve("nodeB"));
        for (int rank : new int[] {2, 3}) {
            String name = "model_world_size_4_rank_" + rank + ".pt";
            Files.move(directory.resolve(name), other.resolve(name));
        }
        try (Checkpoint checkpoint = open(directory, other)) {
            assertHolds(checkpoint, fixture("fsdp2_4/expected/model.safetensors"));
        }
    }

    @Test
    void aTruncatedFileNamesTheFileAndTheRemedy() throws IOException {
        Path directory = copy("fsdp2_4");
        Path file = directory.resolve("model_world_size_4_rank_3.pt");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length * 2 / 3));
        Fault fault = refused(OpenOptions.defaults(), directory);
        assertEquals(Status.CORRUPT, fault.status());
        assertTrue(fault.what().startsWith("model_world_size_4_rank_3.pt"), fault.what());
    }

    @Test
    void aRenamedRankFileIsFoundOut() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.copy(
                directory.resolve("model_world_size_4_rank_1.pt"),
                directory.resolve("model_world_size_4_rank_2.pt"),
                StandardCopyOption.REPLACE_EXISTING);
        Fault fault = refused(OpenOptions.defaults(), directory);
        assertEquals(Code.K3002, fault.code());
        assertTrue(fault.what().contains("written by rank 1, though its name says rank 2"), fault.what());
    }

    @Test
    void aRankOfAnotherRunIsFoundOut() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.copy(
                fixture("fsdp1_4/ckpt/model_world_size_4_rank_3.pt"),
                directory.resolve("model_world_size_4_rank_3.pt"),
                StandardCopyOption.REPLACE_EXISTING);
        Fault fault = refused(OpenOptions.defaults(), directory);
        assertEquals(Code.K3003, fault.code());
        assertTrue(fault.what().contains("ranks 3 say"), fault.what());
    }

    @Test
    void aMissingFsdpConfigIsRecoveredAndSaid() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.delete(directory.resolve("fsdp_config.json"));
        try (Checkpoint checkpoint = open(directory)) {
            assertHolds(checkpoint, fixture("fsdp2_4/expected/model.safetensors"));
            assertTrue(checkpoint.notes().toString().contains("fsdp_config.json is missing: world size 4"));
        }
    }

    @Test
    void aWorldSizeThatDisagreesIsReported() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.writeString(directory.resolve("fsdp_config.json"), "{\"FSDP_version\": 2, \"world_size\": 8}");
        assertEquals(Code.K3006, refused(OpenOptions.defaults(), directory).code());
    }

    @Test
    void mixedSaveTimesAreNoted() throws IOException {
        Path directory = copy("fsdp2_4");
        Files.setLastModifiedTime(directory.resolve("model_world_size_4_rank_1.pt"), FileTime.fromMillis(1_000_000));
        try (Checkpoint checkpoint = open(directory)) {
            assertTrue(checkpoint.notes().toString().contains("mixed save times: model_world_size_4_rank_1.pt"));
        }
    }

    private static OpenOptions mesh(String names, long... sizes) {
        MeshOverride mesh = new MeshOverride(Shape.of(sizes), List.of(names.split(",")));
        return new OpenOptions(Optional.empty(), Optional.of(mesh), Optional.empty(), false);
    }

    @Test
    void theRightMeshGivenByHandIsAccepted() {
        try (Checkpoint checkpoint =
                Checkpoints.open(List.of(fixture("hsdp_2x2/ckpt")), mesh("ddp,fsdp", 2, 2), Job.quiet())) {
            assertHolds(checkpoint, fixture("hsdp_2x2/expected/model.safetensors"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"4x1", "1x4"})
    void aWrongMeshIsRefusedWithTheSizesThatFit(String sizes) {
        String[] parts = sizes.split("x");
        Fault fault =
                refused(mesh("ddp,fsdp", Long.parseLong(parts[0]), Long.parseLong(parts[1])), fixture("hsdp_2x2/ckpt"));
        assertEquals(Code.K3007, fault.code());
        assertEquals(Status.REFUSED, fault.status());
        assertTrue(fault.next().contains("2x2"), fault.next());
    }

    @Test
    void aMeshOfAnotherSizeIsRefused() {
        assertEquals(
                Code.K3007, refused(mesh("fsdp", 3), fixture("fsdp2_4/ckpt")).code());
    }

    @Test
    void rankViewsHoldTheLocalTensors() {
        try (Checkpoint checkpoint = open(fixture("fsdp2_uneven_3/ckpt"))) {
            Tensor last = checkpoint.ranks().get(2).tensor("model.layers.0.input_layernorm.weight");
            assertEquals(Shape.of(10), last.spec().shape());
        }
    }
}
