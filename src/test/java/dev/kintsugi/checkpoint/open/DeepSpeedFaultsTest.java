package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Real DeepSpeed checkpoints with something missing, mixed or damaged.
class DeepSpeedFaultsTest {
    @TempDir
    Path scratch;

    private static Path fixture(String name) {
        return Golden.resource("deepspeed").resolve(name);
    }

    private static Checkpoint open(Path... paths) {
        return Checkpoints.open(List.of(paths), OpenOptions.defaults(), Job.quiet());
    }

    private static OpenOptions allowMissing() {
        return new OpenOptions(Optional.empty(), Optional.empty(), Optional.empty(), true);
    }

    private static Fault refused(OpenOptions options, Path... paths) {
        return assertThrows(
                Fault.class,
                () -> Checkpoints.open(List.of(paths), options, Job.quiet()).close());
    }

    private static Fault refused(Path... paths) {
        return refused(OpenOptions.defaults(), paths);
    }

    private Path copy(String name) throws IOException {
        Path source = fixture(name + "/input");
        Path target = Files.createDirectories(scratch.resolve("checkpoint-2"));
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = target.resolve(source.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return target;
    }

    @Test
    void severalTagsWithoutLatestAreNamed() throws IOException {
        Path input = copy("zero2_fp32_w2_two_saves");
        Files.delete(input.resolve("latest"));
        Fault fault = refused(input);
        assertEquals(Code.K2002, fault.code());
        assertTrue(fault.why().contains("global_step1"), fault.why());
    }

    @Test
    void theStepAskedForIsOpenedWhateverLatestSays() throws IOException {
        Path input = copy("zero2_fp32_w2_two_saves");
        byte[] last = bytes(input, OpenOptions.defaults());
        byte[] first = bytes(input, OpenOptions.defaults().withIteration(1));
        assertArrayEquals(last, bytes(input, OpenOptions.defaults().withIteration(3)));
        assertArrayEquals(
                first,
                bytes(input.resolve("global_step1"), OpenOptions.defaults().withIteration(1)));
        assertFalse(Arrays.equals(last, first));
        Files.delete(input.resolve("latest"));
        assertArrayEquals(first, bytes(input, OpenOptions.defaults().withIteration(1)));
    }

    @Test
    void aStepThatIsNotThereIsRefusedByNumber() throws IOException {
        Path input = copy("zero2_fp32_w2_two_saves");
        OpenOptions seven = OpenOptions.defaults().withIteration(7);
        Fault fault = assertThrows(Fault.class, () -> bytes(input, seven));
        assertEquals(Code.K2001, fault.code());
        assertTrue(fault.what().contains("no tag of step 7"), fault.what());
        assertTrue(fault.why().contains("global_step1, global_step3"), fault.why());
        Fault other = assertThrows(Fault.class, () -> bytes(input.resolve("global_step1"), seven));
        assertEquals(Code.K1003, other.code());
    }

    private static byte[] bytes(Path path, OpenOptions options) {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(path), options, Job.quiet())) {
            return Golden.bytes(checkpoint.tensors().tensor("model.norm.weight"), 1 << 16);
        }
    }

    @Test
    void aLatestThatNamesNothingIsReported() throws IOException {
        Path input = copy("zero2_fp32_w2_two_saves");
        Files.writeString(input.resolve("latest"), "global_step7");
        Fault fault = refused(input);
        assertEquals(Code.K3102, fault.code());
        assertTrue(fault.what().contains("names global_step7"), fault.what());
        assertTrue(fault.next().contains("global_step3"), fault.next());
    }

    @ParameterizedTest
    @ValueSource(strings = {"../elsewhere", "/etc", "", "..", "a/b"})
    void aLatestMayNameADirectoryBesideItOnly(String content) throws IOException {
        Path input = copy("zero2_bf16_w2");
        Files.writeString(input.resolve("latest"), content);
        assertEquals(Code.K3102, refused(input).code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"zero1_bf16_w2", "zero2_bf16_w2", "zero3_bf16_w2"})
    void aMissingRankIsNamedWithTheRemedy(String name) throws IOException {
        Path input = copy(name);
        Files.delete(input.resolve("global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"));
        Fault fault = refused(input);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("have ranks 0, missing 1"), fault.what());
        assertTrue(fault.next().contains("--allow-missing"), fault.next());
    }

    @Test
    void allowMissingOpensTheParametersThatAreWhole() throws IOException {
        Path input = copy("zero2_bf16_w3_tied");
        Files.delete(input.resolve("global_step2/bf16_zero_pp_rank_2_mp_rank_00_optim_states.pt"));
        SequencedMap<String, Golden.Values> goldens =
                Golden.read(fixture("zero2_bf16_w3_tied/expected/model.safetensors"));
        try (Checkpoint checkpoint = Checkpoints.open(List.of(input), allowMissing(), Job.quiet())) {
            assertTrue(checkpoint.tensors().size() > 10, "most are whole");
            assertTrue(checkpoint.tensors().size() < goldens.size(), "some are not");
            checkpoint.tensors().tensors().forEach((name, tensor) -> {
                if (goldens.containsKey(name)) {
                    assertArrayEquals(goldens.get(name).bytes(), Golden.bytes(tensor, 1 << 20), name);
                }
            });
            assertTrue(checkpoint.notes().toString().contains("where ranks 2 are missing"));
            assertEquals("missing", checkpoint.files().getLast().status());
        }
    }

    @Test
    void partitionsAfterAMissingRankStayWhereTheyBelong() throws IOException {
        Path input = copy("zero2_bf16_w3_tied");
        Files.delete(input.resolve("global_step2/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"));
        SequencedMap<String, Golden.Values> goldens =
                Golden.read(fixture("zero2_bf16_w3_tied/expected/model.safetensors"));
        try (Checkpoint checkpoint = Checkpoints.open(List.of(input), allowMissing(), Job.quiet())) {
            assertTrue(checkpoint.tensors().has("model.norm.weight"));
            checkpoint
                    .tensors()
                    .tensors()
                    .forEach((name, tensor) ->
                            assertArrayEquals(goldens.get(name).bytes(), Golden.bytes(tensor, 1 << 20), name));
        }
    }

    @Test
    void ranksOfTwoHostsAreOneCheckpoint() throws IOException {
        Path input = copy("zero3_bf16_w2");
        Path other = Files.createDirectories(scratch.resolve("host2/global_step2"));
        for (String file : List.of(
                "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt", "zero_pp_rank_1_mp_rank_00_model_states.pt")) {
            Files.move(input.resolve("global_step2").resolve(file), other.resolve(file));
        }
        try (Checkpoint checkpoint = open(input, other)) {
            DeepSpeedFixturesTest.assertHolds(checkpoint, fixture("zero3_bf16_w2/expected/model.safetensors"));
        }
    }

    @Test
    void ranksOfTwoStepsAreNotMixed() throws IOException {
        Path input = copy("zero2_fp32_w2_two_saves");
        String rank = "zero_pp_rank_1_mp_rank_00_optim_states.pt";
        Files.copy(
                input.resolve("global_step1").resolve(rank),
                input.resolve("global_step3").resolve(rank),
                StandardCopyOption.REPLACE_EXISTING);
        Fault fault = refused(input);
        assertEquals(Code.K3002, fault.code());
        assertTrue(fault.what().contains("ranks 1 made 1 steps, ranks 0 made 3 steps"), fault.what());
    }

    @Test
    void ranksOfTwoStagesAreNotMixed() throws IOException {
        Path input = copy("zero2_bf16_w2");
        String rank = "global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt";
        Files.copy(
                fixture("zero3_bf16_w2/input").resolve(rank), input.resolve(rank), StandardCopyOption.REPLACE_EXISTING);
        assertEquals(Code.K3002, refused(input).code());
    }

    @Test
    void modelStatesOfAnotherModelDoNotFit() throws IOException {
        Path input = copy("zero2_bf16_w2");
        String file = "global_step2/mp_rank_00_model_states.pt";
        Files.copy(
                fixture("zero2_bf16_w2_universal/input").resolve(file),
                input.resolve(file),
                StandardCopyOption.REPLACE_EXISTING);
        assertEquals(Code.K3102, refused(input).code());
    }

    @Test
    void withoutOptimizerFilesStage2GivesTheModulesWeights() throws IOException {
        Path input = copy("zero2_bf16_w2");
        for (int rank = 0; rank < 2; rank++) {
            Files.delete(input.resolve("global_step2/bf16_zero_pp_rank_" + rank + "_mp_rank_00_optim_states.pt"));
        }
        try (Checkpoint checkpoint = open(input)) {
            DeepSpeedFixturesTest.assertHolds(checkpoint, fixture("zero2_bf16_w2/expected_16bit/model.safetensors"));
            assertTrue(checkpoint.notes().toString().contains("there are no *_optim_states.pt"));
        }
    }

    @Test
    void withoutOptimizerFilesStage3HasNoWeights() throws IOException {
        Path input = copy("zero3_bf16_w2");
        for (int rank = 0; rank < 2; rank++) {
            Files.delete(input.resolve("global_step2/bf16_zero_pp_rank_" + rank + "_mp_rank_00_optim_states.pt"));
        }
        Fault fault = refused(input);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("there is no *_optim_states.pt"), fault.what());
    }

    @Test
    void aMissingPieceOfAFrozenParameterIsNamed() throws IOException {
        Path input = copy("zero3_bf16_w2_frozen");
        Files.delete(input.resolve("global_step2/zero_pp_rank_1_mp_rank_00_model_states.pt"));
        Fault fault = refused(input);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("model states of ranks 1 are missing"), fault.what());
    }

    @Test
    void withoutFrozenParametersOneFileOfModelStatesIsEnough() throws IOException {
        Path input = copy("zero3_bf16_w2");
        Files.delete(input.resolve("global_step2/zero_pp_rank_0_mp_rank_00_model_states.pt"));
        try (Checkpoint checkpoint = open(input)) {
            DeepSpeedFixturesTest.assertHolds(checkpoint, fixture("zero3_bf16_w2/expected/model.safetensors"));
        }
    }

    @Test
    void withoutModelStatesNothingIsGuessed() throws IOException {
        Path input = copy("zero2_bf16_w2");
        Files.delete(input.resolve("global_step2/mp_rank_00_model_states.pt"));
        Fault fault = refused(input);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("no *_model_states.pt"), fault.what());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mp_rank_01_model_states.pt|tensor parallelism",
                "bf16_zero_pp_rank_0_mp_rank_01_optim_states.pt|tensor parallelism",
                "layer_0_expert_3_mp_rank_00_model_states.pt|expert parallelism",
                "layer_04-model_00-model_states.pt|pipeline parallelism"
            })
    void modelParallelCheckpointsAreRefusedByName(String fileAndName) throws IOException {
        String[] parts = fileAndName.split("\\|");
        Path input = copy("zero2_bf16_w2");
        Files.copy(
                input.resolve("global_step2/mp_rank_00_model_states.pt"),
                input.resolve("global_step2").resolve(parts[0]));
        Fault fault = refused(input);
        assertEquals(Code.K4012, fault.code());
        assertTrue(fault.what().contains(parts[1]), fault.what());
    }

    @Test
    void aMissingUniversalParameterIsNamed() throws IOException {
        Path tag = copy("zero2_bf16_w2_universal").resolve("global_step2_universal");
        Files.delete(tag.resolve("zero/model.norm.weight/fp32.pt"));
        Fault fault = refused(tag);
        assertEquals(Code.K3001, fault.code());
        assertTrue(fault.what().contains("model.norm.weight"), fault.what());
    }

    @Test
    void aUniversalParameterOfAnotherModelIsNamed() throws IOException {
        Path tag = copy("zero2_bf16_w2_universal").resolve("global_step2_universal");
        Files.createDirectory(tag.resolve("zero/model.stray.weight"));
        Fault fault = refused(tag);
        assertEquals(Code.K3102, fault.code());
        assertTrue(fault.what().contains("model.stray.weight"), fault.what());
    }

    @Test
    void aTruncatedFileNamesTheFile() throws IOException {
        Path input = copy("zero3_fp16_w2");
        Path file = input.resolve("global_step2/zero_pp_rank_1_mp_rank_00_optim_states.pt");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
        Fault fault = refused(input);
        assertTrue(fault.what().startsWith("zero_pp_rank_1_mp_rank_00_optim_states.pt"), fault.what());
    }

    @Test
    void aParentDirectoryIsWalkedDown() throws IOException {
        copy("zero2_bf16_w2");
        try (Checkpoint checkpoint = open(scratch)) {
            DeepSpeedFixturesTest.assertHolds(checkpoint, fixture("zero2_bf16_w2/expected/model.safetensors"));
        }
    }
}
