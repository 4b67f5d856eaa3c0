package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What `export` and `merge` do with their options.
class ExportOptionsTest {
    private static final Path SAMPLE = Golden.resource("fsdp/fsdp2_4/ckpt");

    @TempDir
    Path scratch;

    private static Transcript.Result merge(Path source, Path target, String more) {
        try (Transcript shell = new Transcript()) {
            return shell.run("merge --local_dir " + source + " --target_dir '" + target + "' " + more);
        }
    }

    private static String sha256(Path file) throws IOException {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> list = Files.list(directory)) {
            return list.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aDirectoryOfSeveralCheckpointsNamesTheMergeOfOneOfThem() {
        Path step = scratch.resolve("global step_7");
        Broken.copy(SAMPLE, step.resolve("actor"));
        Broken.copy(SAMPLE, step.resolve("critic"));
        try (Transcript shell = new Transcript()) {
            String flags = " --backend fsdp --local_dir '" + step + "'";
            String one = "--backend fsdp --local_dir '" + step.resolve("actor") + "' ";
            Transcript.Result merged = shell.run("merge" + flags + " --target_dir " + scratch.resolve("out"));
            assertEquals(Status.CORRUPT, merged.status());
            String command = "merge " + one + "--target_dir " + scratch.resolve("out");
            assertTrue(merged.err().endsWith("  try: name one of them: " + command + "\n"), merged.err());
            assertEquals(Status.DONE, shell.run(command).status());
            Transcript.Result tested = shell.run("test" + flags + " --test_hf_dir " + scratch.resolve("out"));
            command = "test " + one + "--test_hf_dir " + scratch.resolve("out");
            assertTrue(tested.err().endsWith("  try: name one of them: " + command + "\n"), tested.err());
            assertEquals(Status.DONE, shell.run(command).status());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"fsdp2_4", "tied_2", "moe_2", "vlm_2"})
    void severalFilesAndTheirIndexAreThoseOfSavePretrained(String name) throws IOException {
        Path golden = Golden.resource("sharded").resolve(name);
        String size = Files.readString(golden.resolve("max-shard-size.txt")).strip();
        Path target = scratch.resolve("out");
        Transcript.Result result =
                merge(Golden.resource("fsdp").resolve(name).resolve("ckpt"), target, "--max-shard-size " + size);
        assertEquals(Status.DONE, result.status(), result.err());
        for (String line : Files.readAllLines(golden.resolve("sha256.txt"))) {
            String file = line.substring(66);
            assertEquals(line.substring(0, 64), sha256(target.resolve(file)), file);
        }
    }

    @Test
    void theSameBytesComeOutWhateverTheNumberOfThreads() throws IOException {
        merge(SAMPLE, scratch.resolve("one"), "--threads 1");
        merge(SAMPLE, scratch.resolve("four"), "--threads 4");
        assertEquals(
                sha256(scratch.resolve("one/model.safetensors")), sha256(scratch.resolve("four/model.safetensors")));
    }

    @Test
    void aDryRunPrintsThePlanAndWritesNothing() throws IOException {
        Transcript.Result result = merge(SAMPLE, scratch.resolve("out"), "--dry-run");
        assertEquals(Status.DONE, result.status());
        assertTrue(result.out().contains("would write"), result.out());
        assertEquals(List.of(), names(scratch));
    }

    @Test
    void anExistingTargetIsRefusedAndReplacedOnlyWhenAsked() throws IOException {
        Path target = scratch.resolve("out");
        Files.createDirectories(target);
        Files.writeString(target.resolve("precious.txt"), "mine");
        Transcript.Result refused = merge(SAMPLE, target, "");
        assertEquals(Status.REFUSED, refused.status());
        assertTrue(refused.err().contains("error[K4003]"), refused.err());
        assertEquals(List.of("precious.txt"), names(target));
        assertEquals(Status.DONE, merge(SAMPLE, target, "--replace").status());
        assertTrue(names(target).contains("model.safetensors"));
        assertFalse(names(target).contains("precious.txt"));
        assertEquals(List.of("out"), names(scratch));
    }

    @Test
    void anEmptyDirectoryIsAFreeTarget() throws IOException {
        Path target = Files.createDirectory(scratch.resolve("out"));
        assertEquals(Status.DONE, merge(SAMPLE, target, "").status());
        assertTrue(names(target).contains("model.safetensors"));
    }

    @Test
    void aTargetInsideTheSourceIsRefused() throws IOException {
        Transcript.Result result = merge(SAMPLE, SAMPLE.resolve("out"), "");
        assertEquals(Status.REFUSED, result.status());
        assertTrue(result.err().contains("error[K4008]"), result.err());
        assertFalse(names(SAMPLE).contains("out"));
    }

    @Test
    void aTargetBelowAFileIsAnInputOutputErrorAndLeavesNothing() throws IOException {
        Path file = Files.writeString(scratch.resolve("file"), "x");
        Transcript.Result result = merge(SAMPLE, file.resolve("out"), "");
        assertEquals(Status.IO, result.status());
        assertTrue(result.err().contains("error[K5002]"), result.err());
        assertEquals(List.of("file"), names(scratch));
    }

    @Test
    void aCastSaysWhatItLostAndConfigJsonSaysTheDtype() throws IOException {
        Path source = Golden.resource("fsdp/fsdp2_uneven_3");
        Path target = scratch.resolve("out");
        Transcript.Result result = merge(source.resolve("ckpt"), target, "--dtype bf16");
        assertEquals(Status.DONE, result.status(), result.err());
        assertTrue(result.err().contains("note: cast "), result.err());
        assertTrue(result.err().contains("largest relative error 0.00"), result.err());
        var wanted = Golden.read(source.resolve("expected_bf16/model.safetensors"));
        var found = Golden.read(target.resolve("model.safetensors"));
        assertEquals(wanted.keySet(), found.keySet());
        wanted.forEach((name, values) ->
                assertTrue(Arrays.equals(values.bytes(), found.get(name).bytes()), name));
        assertTrue(Files.readString(target.resolve("config.json"), StandardCharsets.UTF_8)
                .contains("\"dtype\": \"bfloat16\""));
    }

    @Test
    void withoutConfigJsonTheWeightsCanBeWrittenAsTheyAre() throws IOException {
        Path bare = Files.createDirectories(scratch.resolve("in/actor"));
        for (int rank = 0; rank < 4; rank++) {
            String name = "model_world_size_4_rank_" + rank + ".pt";
            Files.copy(SAMPLE.resolve(name), bare.resolve(name));
        }
        Transcript.Result refused = merge(bare, scratch.resolve("out"), "");
        assertEquals(Status.REFUSED, refused.status());
        assertTrue(refused.err().contains("error[K4010]"), refused.err());
        assertTrue(refused.err().contains("--keys as-is"), refused.err());
        assertFalse(Files.exists(scratch.resolve("out")));
        Transcript.Result asIs = merge(bare, scratch.resolve("out"), "--keys as-is");
        assertEquals(Status.DONE, asIs.status(), asIs.err());
        assertTrue(asIs.err().contains("fsdp_config.json is missing: world size 4 taken"), asIs.err());
        assertEquals(List.of("model.safetensors"), names(scratch.resolve("out")));
    }

    @Test
    void aMissingRankATruncatedFileAndAWrongMeshLeaveNothingBehind() throws IOException {
        Path source = Files.createDirectories(scratch.resolve("in/actor"));
        for (String name : names(SAMPLE)) {
            if (Files.isRegularFile(SAMPLE.resolve(name)) && name.startsWith("model_")) {
                Files.copy(SAMPLE.resolve(name), source.resolve(name));
            }
        }
        Transcript.Result mesh = merge(source, scratch.resolve("out"), "--keys as-is --mesh 2x2");
        assertEquals(Status.REFUSED, mesh.status());
        assertTrue(mesh.err().contains("error[K3007]"), mesh.err());
        Path rank = source.resolve("model_world_size_4_rank_2.pt");
        byte[] whole = Files.readAllBytes(rank);
        Files.write(rank, Arrays.copyOf(whole, whole.length / 2));
        Transcript.Result cut = merge(source, scratch.resolve("out"), "--keys as-is");
        assertEquals(Status.CORRUPT, cut.status());
        assertTrue(cut.err().contains("model_world_size_4_rank_2.pt"), cut.err());
        Files.delete(rank);
        Transcript.Result missing = merge(source, scratch.resolve("out"), "--keys as-is");
        assertEquals(Status.CORRUPT, missing.status());
        assertTrue(missing.err().contains("error[K3001]: world size 4, have ranks 0-1, 3, missing 2"), missing.err());
        Transcript.Result holes = merge(source, scratch.resolve("out"), "--keys as-is --allow-missing");
        assertEquals(Status.CORRUPT, holes.status());
        assertTrue(holes.err().contains("has holes"), holes.err());
        assertEquals(List.of("in"), names(scratch));
    }

    /// verl drops such a head and says nothing.
    @Test
    void aHeadThatDiffersFromTheEmbeddingIsNotDroppedForAFlag() throws IOException {
        Path source = Golden.resource("megatron/verl_qwen2_tp2_pp2/input");
        Transcript.Result refused = merge(source, scratch.resolve("out"), "--tie-word-embedding");
        assertEquals(Status.REFUSED, refused.status());
        assertTrue(refused.err().contains("lm_head.weight differs from model.embed_tokens.weight"), refused.err());
        assertTrue(refused.err().contains("try: leave --tie-word-embedding out"), refused.err());
        assertEquals(List.of(), names(scratch));
        Transcript.Result kept = merge(source, scratch.resolve("out"), "");
        assertEquals(Status.DONE, kept.status(), kept.err());
        assertTrue(Golden.read(scratch.resolve("out/model.safetensors")).containsKey("lm_head.weight"));
    }

    @Test
    void anUntiedHeadThatConfigTiesIsKeptOnlyWhenAsked() throws IOException {
        Path source = Golden.resource("fsdp/tied_2/ckpt");
        Transcript.Result result = merge(source, scratch.resolve("out"), "--tie-word-embeddings no");
        assertEquals(Status.DONE, result.status(), result.err());
        assertTrue(Golden.read(scratch.resolve("out/model.safetensors")).containsKey("lm_head.weight"));
        assertTrue(Files.readString(scratch.resolve("out/config.json")).contains("\"tie_word_embeddings\": false"));
    }
}
