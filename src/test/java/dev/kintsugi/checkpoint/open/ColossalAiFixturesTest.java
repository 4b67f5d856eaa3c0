package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Folders as ColossalAI writes them, made by `make_colossalai.py`.
class ColossalAiFixturesTest {
    @TempDir
    Path scratch;

    private static Path fixture(String name) {
        return Golden.resource("colossalai").resolve(name);
    }

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet());
    }

    private static Fault refused(Path path) {
        return assertThrows(Fault.class, () -> open(path).close());
    }

    private static void assertHolds(Checkpoint checkpoint, String name) {
        SequencedMap<String, Golden.Values> goldens = Golden.read(fixture(name + "/expected/model.safetensors"));
        assertEquals(goldens.size(), checkpoint.tensors().size());
        goldens.forEach((tensor, golden) -> {
            assertEquals(golden.spec(), checkpoint.tensors().tensor(tensor).spec(), tensor);
            assertArrayEquals(golden.bytes(), Golden.bytes(checkpoint.tensors().tensor(tensor), 7), tensor);
        });
    }

    private Path copy(String name) throws IOException {
        Path target = Files.createDirectories(scratch.resolve("epoch-0_step-100/modeling"));
        try (Stream<Path> files = Files.list(fixture(name + "/input"))) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(file.getFileName()));
            }
        }
        return target;
    }

    @ParameterizedTest
    @ValueSource(strings = {"sharded", "pipeline_2"})
    void everyTensorComesBackBitForBit(String name) {
        try (Checkpoint checkpoint = open(fixture(name + "/input"))) {
            assertEquals("ColossalAI", checkpoint.format());
            assertHolds(checkpoint, name);
        }
    }

    @Test
    void aStepOfATrainingRunIsWalkedDown() throws IOException {
        copy("sharded");
        Path optimizer = Files.createDirectories(scratch.resolve("epoch-0_step-100/optimizer"));
        Files.writeString(optimizer.resolve("pytorch_optim.bin.index.json"), "{}");
        Files.writeString(optimizer.resolve("pytorch_optim-00001.bin"), "");
        try (Checkpoint checkpoint = open(scratch)) {
            assertHolds(checkpoint, "sharded");
        }
    }

    @Test
    void anInterruptedSaveIsRefusedByName() throws IOException {
        Path folder = copy("pipeline_2");
        Files.delete(folder.resolve("pytorch_model.bin.index.json"));
        Files.createDirectory(folder.resolve("tmp_index_files"));
        Fault fault = refused(folder);
        assertEquals(Code.K2304, fault.code());
        assertTrue(fault.why().contains("interrupted"), fault.why());
    }

    @Test
    void aLeftOverOfStageIndexesBesideAWholeIndexIsNoted() throws IOException {
        Path folder = copy("pipeline_2");
        Files.createDirectory(folder.resolve("tmp_index_files"));
        try (Checkpoint checkpoint = open(folder)) {
            assertHolds(checkpoint, "pipeline_2");
            assertTrue(checkpoint.notes().toString().contains("tmp_index_files is left over"));
        }
    }

    @Test
    void shardsWithoutAnIndexAreNotGuessedAt() throws IOException {
        Path folder = copy("sharded");
        Files.delete(folder.resolve("pytorch_model.bin.index.json"));
        assertEquals(Code.K2304, refused(folder).code());
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        Path folder = copy("sharded");
        Files.delete(folder.resolve("pytorch_model-00002.bin"));
        Fault fault = refused(folder);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("pytorch_model-00002.bin is missing"), fault.what());
    }

    @Test
    void aShardOfAnEarlierSaveIsLeftOutByName() throws IOException {
        Path folder = copy("sharded");
        Files.copy(folder.resolve("pytorch_model-00002.bin"), folder.resolve("pytorch_model-00003.bin"));
        try (Checkpoint checkpoint = open(folder)) {
            assertHolds(checkpoint, "sharded");
            assertTrue(
                    checkpoint.ignored().toString().contains("pytorch_model-00003.bin (not in"),
                    checkpoint.ignored()::toString);
        }
    }
}
