package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Real DeepSpeed checkpoints against the weights gathered from the live engine.
class DeepSpeedFixturesTest {
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

    static Stream<String> cases() throws IOException {
        try (Stream<Path> list = Files.list(Golden.resource("deepspeed"))) {
            return list.map(p -> p.getFileName().toString()).sorted().toList().stream();
        }
    }

    private static void assertHolds(Checkpoint checkpoint, Path expected) {
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
                    checkpoint.notes().contains("latest names global_step3 of 2 tags"), checkpoint.notes()::toString);
        }
        try (Checkpoint first = open(input.resolve("global_step1"));
                Checkpoint third = open(input.resolve("global_step3"))) {
            byte[] before = Golden.bytes(first.tensors().tensor("lm_head.weight"), 1 << 20);
            byte[] after = Golden.bytes(third.tensors().tensor("lm_head.weight"), 1 << 20);
            assertTrue(!Arrays.equals(before, after), "the tags hold different steps");
        }
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
            assertHolds(checkpoint, fixture("zero3_bf16_w2/expected/model.safetensors"));
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
            assertHolds(checkpoint, fixture("zero2_bf16_w2/expected_16bit/model.safetensors"));
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
            assertHolds(checkpoint, fixture("zero3_bf16_w2/expected/model.safetensors"));
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
            assertHolds(checkpoint, fixture("zero2_bf16_w2/expected/model.safetensors"));
        }
    }
}
