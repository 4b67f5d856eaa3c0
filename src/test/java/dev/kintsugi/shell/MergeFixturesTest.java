package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The main job: every fixture merged with verl's own flags gives the files that `save_pretrained` wrote.
class MergeFixturesTest {
    /// Models that were saved by hand-made state dicts: their names belong to no architecture.
    private static final Set<String> HAND_MADE = Set.of("replicate_and_shard1", "padded_3", "dp_tp_uneven_4x2");

    /// Cases whose `config.json` the training job edited.
    private static final Set<String> EDITED_CONFIG = Set.of("moe_2", "vlm_2");

    @TempDir
    Path scratch;

    private static Path fixture(String name) {
        return Golden.resource("fsdp").resolve(name);
    }

    private Path merge(String backend, Path source, String more) {
        Path target = scratch.resolve("out");
        try (Transcript shell = new Transcript()) {
            Transcript.Result result = shell.run(
                    "merge --backend " + backend + " --local_dir " + source + " --target_dir '" + target + "' " + more);
            assertEquals(Status.DONE, result.status(), result.err());
            assertTrue(result.out().contains("read back and checked"), result.out());
        }
        return target;
    }

    private static Set<String> files(Path root) throws IOException {
        Set<String> names = new TreeSet<>();
        try (Stream<Path> all = Files.walk(root)) {
            all.filter(Files::isRegularFile)
                    .forEach(p -> names.add(root.relativize(p).toString()));
        }
        return names;
    }

    private static void assertSameFiles(Path expected, Path found, Set<String> skipped) throws IOException {
        Set<String> more = files(found);
        assertTrue(more.containsAll(files(expected)), more.toString());
        more.removeAll(files(expected));
        // A model that was saved without its tokenizer gets the one beside the checkpoint.
        more.removeIf(name -> name.startsWith("tokenizer"));
        assertEquals(Set.of(), more);
        for (String name : files(expected)) {
            if (!skipped.contains(name)) {
                assertArrayEquals(
                        Files.readAllBytes(expected.resolve(name)), Files.readAllBytes(found.resolve(name)), name);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fsdp1_1",
                "fsdp1_4",
                "fsdp2_4",
                "fsdp2_uneven_3",
                "fsdp_tp_2x2",
                "hsdp_2x1",
                "hsdp_2x2",
                "legacy_shardedtensor_2",
                "moe_2",
                "tied_2",
                "value_2",
                "vlm_2",
                "replicate_and_shard1",
                "padded_3",
                "dp_tp_uneven_4x2"
            })
    void theFilesAreThoseOfSavePretrained(String name) throws IOException {
        Path target = merge("fsdp", fixture(name + "/ckpt"), HAND_MADE.contains(name) ? "--keys as-is" : "");
        assertSameFiles(
                fixture(name + "/expected"), target, EDITED_CONFIG.contains(name) ? Set.of("config.json") : Set.of());
    }

    @ParameterizedTest
    @ValueSource(strings = {"2_4", "2_6", "2_8", "2_10", "2_13"})
    void checkpointsOfOlderTorchGiveTheSameFile(String era) throws IOException {
        Path target = merge("fsdp", fixture("eras_hsdp_2x2/ckpt_torch_" + era), "");
        assertArrayEquals(
                Files.readAllBytes(fixture("eras_hsdp_2x2/expected/model.safetensors")),
                Files.readAllBytes(target.resolve("model.safetensors")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"default", "hsdp", "hsdp_dedup_lowest"})
    void distributedCheckpointFoldersGiveTheSameFile(String folder) throws IOException {
        Path target = merge("fsdp", fixture("dcp_4/ckpt/" + folder), "");
        assertSameFiles(fixture("dcp_4/expected"), target, Set.of());
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora_4", "lora_only_2"})
    void anAdapterIsWrittenBesideItsBaseWithItsTrueAlpha(String name) throws IOException {
        Path target = merge("fsdp", fixture(name + "/ckpt"), "");
        Path expected = fixture(name + "/expected");
        assertArrayEquals(
                Files.readAllBytes(expected.resolve("adapter/adapter_model.safetensors")),
                Files.readAllBytes(target.resolve("lora_adapter/adapter_model.safetensors")));
        JsonNode wanted =
                JsonMapper.shared().readTree(Files.readString(expected.resolve("adapter/adapter_config.json")));
        JsonNode found =
                JsonMapper.shared().readTree(Files.readString(target.resolve("lora_adapter/adapter_config.json")));
        for (String key : List.of("r", "lora_alpha", "target_modules", "task_type", "peft_type", "inference_mode")) {
            assertEquals(wanted.get(key), found.get(key), key);
        }
        if (name.equals("lora_4")) {
            assertEquals(wanted, found);
            assertArrayEquals(
                    Files.readAllBytes(expected.resolve("model.safetensors")),
                    Files.readAllBytes(target.resolve("model.safetensors")));
        } else {
            assertFalse(Files.exists(target.resolve("model.safetensors")));
        }
    }

    @Test
    void anAdapterMergedInIsWithinAStepOfTheMergeOfPeft() {
        Path target = merge("fsdp", fixture("lora_4/ckpt"), "--lora merge");
        var wanted = Golden.read(fixture("lora_4/expected_merged/model.safetensors"));
        var base = Golden.read(fixture("lora_4/expected/model.safetensors"));
        var found = Golden.read(target.resolve("model.safetensors"));
        assertEquals(wanted.keySet(), found.keySet());
        int changed = 0;
        for (String name : wanted.keySet()) {
            byte[] theirs = wanted.get(name).bytes();
            byte[] ours = found.get(name).bytes();
            assertEquals(theirs.length, ours.length);
            changed += Arrays.equals(ours, base.get(name).bytes()) ? 0 : 1;
            for (int i = 0; i < ours.length; i += 2) {
                // peft rounds the product to BF16 before it adds it, and rounds again: two steps of BF16 at most.
                float a = Float.intBitsToFloat((theirs[i + 1] << 24) | ((theirs[i] & 0xff) << 16));
                float b = Float.intBitsToFloat((ours[i + 1] << 24) | ((ours[i] & 0xff) << 16));
                assertEquals(a, b, Math.max(Math.abs(a), 0.01f) / 64, name + " element " + i / 2);
            }
        }
        assertEquals(6, changed, "three modules in each of two layers");
    }

    @Test
    void partialIsRefusedByNameAndNothingIsWritten() {
        Path target = scratch.resolve("out");
        try (Transcript shell = new Transcript()) {
            Transcript.Result result = shell.run(
                    "merge --backend fsdp --local_dir " + fixture("partial_2/ckpt") + " --target_dir '" + target + "'");
            assertEquals(Status.REFUSED, result.status());
            assertTrue(result.err().startsWith("error[K4001]: pending.weight: placement Partial(sum)"), result.err());
        }
        assertFalse(Files.exists(target));
    }

    static Stream<String> megatron() throws IOException {
        return cases("megatron");
    }

    static Stream<String> deepspeed() throws IOException {
        return cases("deepspeed");
    }

    private static Stream<String> cases(String area) throws IOException {
        try (Stream<Path> list = Files.list(Golden.resource(area))) {
            return list
                    .filter(p -> Files.isDirectory(p.resolve("input")))
                    .map(p -> p.getFileName().toString())
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    @ParameterizedTest
    @MethodSource("megatron")
    void megatronCheckpointsGiveTheFilesOfSavePretrained(String name) throws IOException {
        Path root = Golden.resource("megatron").resolve(name);
        assertSameFiles(root.resolve("expected"), merge("megatron", root.resolve("input"), ""), Set.of());
    }

    @ParameterizedTest
    @MethodSource("deepspeed")
    void deepSpeedCheckpointsGiveTheFilesOfSavePretrained(String name) throws IOException {
        Path root = Golden.resource("deepspeed").resolve(name);
        assertSameFiles(root.resolve("expected"), merge("deepspeed", root.resolve("input"), ""), Set.of());
    }
}
