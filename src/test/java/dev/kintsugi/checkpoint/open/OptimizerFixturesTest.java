package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Optimizer states of real checkpoints against what `optimizer_digests.py` and, by torch itself,
/// `megatron_optimizer_digests.py` read from the same files.
class OptimizerFixturesTest {
    @TempDir
    Path scratch;

    private static OptimizerCheckpoint open(Path path) {
        return Checkpoints.openOptimizer(List.of(path), OpenOptions.defaults(), Job.quiet())
                .orElseThrow();
    }

    static Stream<String> cases() throws IOException {
        try (Stream<Path> list = Files.list(Golden.resource("deepspeed"))) {
            return list.map(p -> p.getFileName().toString()).sorted().toList().stream();
        }
    }

    private static void assertHolds(OptimizerCheckpoint optimizer, Path expected) {
        JsonNode digests = JsonMapper.shared().readTree(expected.toFile());
        TreeMap<String, String> wanted = new TreeMap<>();
        digests.forEachEntry((name, entry) -> {
            long[] dims = new long[entry.get(1).size()];
            Arrays.setAll(dims, i -> entry.get(1).get(i).asLong());
            wanted.put(
                    name,
                    entry.get(0).asString() + " " + Arrays.toString(dims) + " "
                            + entry.get(2).asString());
        });
        assertTrue(wanted.size() > 20, "the golden file has tensors");
        TreeMap<String, String> found = new TreeMap<>();
        optimizer
                .state()
                .tensors()
                .tensors()
                .forEach((name, tensor) -> found.put(name, tensor.spec() + " " + digest(tensor)));
        assertEquals(wanted, found);
    }

    private static String digest(Tensor tensor) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Golden.bytes(tensor, 13));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void deepSpeedStatesAreThoseOfTheFiles(String name) {
        Path fixture = Golden.resource("deepspeed").resolve(name);
        try (OptimizerCheckpoint optimizer = open(fixture.resolve("input"))) {
            assertHolds(optimizer, fixture.resolve("optimizer.json"));
            JsonNode group = optimizer.settings().path("param_groups").path(0);
            assertEquals(
                    name.equals("zero2_bf16_w2") || name.equals("zero3_bf16_w3_tied") ? 0.005 : 0.01,
                    group.path("lr").asDouble());
            assertEquals(0.9, group.path("betas").path(0).asDouble());
            assertTrue(group.path("params").path(0).isString(), group.toString());
        }
    }

    @Test
    void fsdpStatesAreThoseOfTheFilesUnderTheNamesOfTheModel() {
        Path fixture = Golden.resource("fsdp/fsdp2_4");
        try (OptimizerCheckpoint optimizer = open(fixture.resolve("ckpt"))) {
            assertHolds(optimizer, fixture.resolve("optimizer.json"));
            JsonNode group = optimizer.settings().path("param_groups").path(0);
            assertEquals(0.0002, group.path("lr").asDouble());
            assertEquals(27, group.path("params").size());
            assertEquals(
                    1,
                    optimizer.settings().path("lr_scheduler").path("last_epoch").asInt(),
                    "of the extra state");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"verl_llama_tp2_dp2_optimizer", "legacy_llama_tp2_optimizer"})
    void megatronStatesAreWhatTorchReads(String name) {
        Path fixture = Golden.resource("megatron").resolve(name);
        try (OptimizerCheckpoint optimizer = open(fixture.resolve("input"))) {
            assertHolds(optimizer, fixture.resolve("optimizer.json"));
            JsonNode group = optimizer.settings().path("param_groups").path(0);
            assertEquals(0.0001, group.path("lr").asDouble());
            assertEquals(0.999, group.path("betas").path(1).asDouble());
            assertEquals(21, group.path("params").size());
            assertEquals(
                    "model.embed_tokens.weight", group.path("params").path(0).asString());
        }
    }

    @Test
    void megatronsSchedulerIsKept() {
        try (OptimizerCheckpoint optimizer = open(Golden.resource("megatron/verl_llama_tp2_dp2_optimizer/input"))) {
            JsonNode scheduler = optimizer.settings().path("lr_scheduler");
            assertEquals("constant", scheduler.path("lr_decay_style").asString());
            assertEquals(3, scheduler.path("num_steps").asInt());
        }
        try (OptimizerCheckpoint optimizer = open(Golden.resource("megatron/legacy_llama_tp2_optimizer/input"))) {
            assertEquals(10, optimizer.settings().path("iteration").asInt());
        }
    }

    @Test
    void theUniversalTagHoldsTheSameStates() {
        Path fixture = Golden.resource("deepspeed/zero2_bf16_w2_universal");
        try (OptimizerCheckpoint optimizer = open(fixture.resolve("input/global_step2_universal"))) {
            assertHolds(optimizer, fixture.resolve("optimizer.json"));
            JsonNode group = optimizer.settings().path("param_groups").path(0);
            assertEquals(15, group.path("params").size());
        }
    }

    @Test
    void groupsHaveTheirParametersByNameAndTheSchedulerIsKept() {
        try (OptimizerCheckpoint optimizer = open(Golden.resource("deepspeed/zero2_bf16_w2/input"))) {
            JsonNode settings = optimizer.settings();
            assertEquals(2, settings.path("param_groups").size());
            assertEquals(
                    0.0,
                    settings.path("param_groups").path(1).path("weight_decay").asDouble());
            assertEquals(
                    1,
                    settings.path("lr_scheduler").path("last_batch_iteration").asInt());
            assertEquals(2, settings.path("global_steps").asInt());
            int named = 0;
            for (JsonNode group : settings.path("param_groups")) {
                named += group.path("params").size();
            }
            assertEquals(27, named);
        }
    }

    @Test
    void aCheckpointWithoutOptimizerHasNone() {
        assertTrue(Checkpoints.openOptimizer(
                        List.of(Golden.resource("fsdp/fsdp2_uneven_3/ckpt")), OpenOptions.defaults(), Job.quiet())
                .isEmpty());
    }

    @Test
    void aMissingRankOfTheOptimizerIsNamed() throws IOException {
        try (Stream<Path> files = Files.list(Golden.resource("fsdp/fsdp2_4/ckpt"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, scratch.resolve(file.getFileName()));
            }
        }
        Files.delete(scratch.resolve("optim_world_size_4_rank_3.pt"));
        Fault fault = assertThrows(Fault.class, () -> open(scratch).close());
        assertEquals(Code.K3001, fault.code());
    }
}
