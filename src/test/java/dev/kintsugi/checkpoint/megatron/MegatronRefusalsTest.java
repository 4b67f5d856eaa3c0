package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.megatron.DistWriter.Chunk;
import dev.kintsugi.checkpoint.megatron.DistWriter.Entry;
import dev.kintsugi.checkpoint.megatron.DistWriter.Form;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Built;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Global;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is wrong with a checkpoint is said by name, with what to do about it.
class MegatronRefusalsTest {
    @TempDir
    Path scratch;

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet());
    }

    private static Fault refused(Path path) {
        return assertThrows(Fault.class, () -> open(path).close());
    }

    private static void assertRefused(Code code, String what, Path path) {
        Fault fault = refused(path);
        assertEquals(code, fault.code(), fault.what());
        assertTrue(fault.what().contains(what), fault.what());
    }

    /// A fixture to spoil, with its Hugging Face folder beside the weights.
    private Path copy(String name) throws IOException {
        Path source = Golden.resource("megatron").resolve(name);
        Path target = scratch.resolve("case");
        copy(source.resolve("input"), target);
        if (Files.isDirectory(source.resolve("huggingface"))) {
            copy(source.resolve("huggingface"), target.resolve("huggingface"));
        }
        return target;
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = to.resolve(from.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.write(copy, Files.readAllBytes(file));
            }
        }
    }

    private static void delete(Path path) throws IOException {
        try (Stream<Path> files = Files.walk(path)) {
            files.sorted((a, b) -> b.compareTo(a)).forEach(p -> {
                try {
                    Files.delete(p);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }

    private static void edit(Path file, String from, String to) throws IOException {
        String text = Files.readString(file);
        assertTrue(text.contains(from), text);
        Files.writeString(file, text.replace(from, to));
    }

    private Path legacyFile(String rank, double version, Map<String, Object> model) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("args", new Built(new Global("argparse", "Namespace"), Map.of("num_attention_heads", 2)));
        root.put("checkpoint_version", version);
        root.put("model", model);
        Path folder = Files.createDirectories(scratch.resolve("iter_0000001").resolve(rank));
        Files.write(folder.resolve("model_optim_rng.pt"), TorchWriter.save(root));
        return scratch.resolve("iter_0000001");
    }

    private static TorchWriter.Values values(int... shape) {
        int count = 1;
        for (int extent : shape) {
            count *= extent;
        }
        return new TorchWriter.Values(shape, new short[count]);
    }

    @Test
    void zarrIsRefusedByName() throws IOException {
        Path input = copy("verl_qwen2_tp2_pp2");
        edit(input.resolve("dist_ckpt/metadata.json"), "\"torch_dist\"", "\"zarr\"");
        assertRefused(Code.K4012, "zarr", input);
    }

    @Test
    void checkpointVersionsBeforeTwoAreRefused() throws IOException {
        assertRefused(Code.K4012, "checkpoint_version 1.0", legacyFile("mp_rank_00", 1.0, Map.of()));
        assertRefused(Code.K4012, "checkpoint_version 0.0", legacyFile("mp_rank_00", 0.0, Map.of()));
    }

    @Test
    void tensorsWithoutARuleAreRefusedByName() throws IOException {
        Path step = legacyFile("mp_rank_00", 3.0, Map.of("decoder.layers.0.mlp.rotor.weight", values(2, 2)));
        assertRefused(Code.K4011, "decoder.layers.0.mlp.rotor.weight", step);
        Path input = copy("verl_qwen2_tp2_pp2");
        edit(input.resolve("huggingface/config.json"), "\"model_type\": \"qwen2\"", "\"model_type\": \"mamba2\"");
        assertRefused(Code.K4011, "model_type \"mamba2\" has no mapping", input);
    }

    @Test
    void expertsWithoutAConfigAskForIt() throws IOException {
        Path input = copy("legacy_qwen3moe_tp2_ep2");
        delete(input.resolve("huggingface"));
        Fault fault = refused(input);
        assertEquals(Code.K4011, fault.code(), fault.what());
        assertTrue(fault.next().contains("--sidecars"), fault.next());
    }

    @Test
    void missingRanksAreNamed() throws IOException {
        Path input = copy("legacy_qwen2_padded_tp2_pp2");
        delete(input.resolve("iter_0000010/mp_rank_01_001"));
        assertRefused(Code.K3001, "no file of tensor-parallel rank 1 of stage 1", input);
    }

    @Test
    void missingExpertRanksAreNamed() throws IOException {
        Path input = copy("legacy_qwen3moe_ep2_pp2_local");
        delete(input.resolve("iter_0000010/mp_rank_00_001_001"));
        assertRefused(Code.K3001, "expert-parallel rank 1 of stage 1", input);
    }

    @Test
    void missingChunkFilesAreNamed() throws IOException {
        Path input = copy("verl_qwen2_tp2_pp2");
        Files.delete(input.resolve("dist_ckpt/__2_0.distcp"));
        assertRefused(Code.K3001, "__2_0.distcp is missing", input);
    }

    @Test
    void directoriesWithoutMetadataSayThatItComesLast() throws IOException {
        Path input = copy("verl_qwen2_tp2_pp2");
        Files.delete(input.resolve("dist_ckpt/.metadata"));
        assertRefused(Code.K2001, ".metadata", input);
    }

    @Test
    void aTrackerThatNamesNothingListsWhatIsThere() throws IOException {
        Path input = copy("train20_llama_padded_tp2");
        Files.writeString(input.resolve("latest_checkpointed_iteration.txt"), "20\n");
        try (Checkpoint checkpoint =
                Checkpoints.open(List.of(input), OpenOptions.defaults().withIteration(10), Job.quiet())) {
            assertTrue(checkpoint.directories().getFirst().endsWith("iter_0000010"));
        }
        Fault fault = refused(input);
        assertEquals(Code.K2001, fault.code());
        assertTrue(fault.what().contains("iter_0000020, which is not there"), fault.what());
        assertTrue(fault.why().contains("iter_0000010"), fault.why());
    }

    @Test
    void aConfigOfAnotherModelIsRefused() throws IOException {
        Path input = copy("train_qwen2_padded_tp2_pp2");
        Path config = input.resolve("huggingface/config.json");
        edit(config, "\"vocab_size\": 90", "\"vocab_size\": 900");
        assertRefused(Code.K3101, "96 rows, the vocabulary 900 words", input);
        edit(config, "\"vocab_size\": 900", "\"vocab_size\": 90");
        edit(config, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4");
        assertRefused(Code.K3101, "config.json says 4 key and value heads", input);
        edit(config, "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 2");
        edit(config, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
        assertRefused(Code.K3101, "tie_word_embeddings is true", input);
        edit(config, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
        edit(config, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
        assertRefused(Code.K3101, "config.json says 3 layers", input);
    }

    @Test
    void withoutAConfigTheArgsAreUsedAndItIsSaid() throws IOException {
        for (String name : List.of("train20_llama_padded_tp2", "legacy_qwen2_padded_tp2_pp2")) {
            Path input = copy(name);
            delete(input.resolve("huggingface"));
            try (Checkpoint checkpoint = open(input)) {
                String notes = checkpoint.notes().toString();
                assertTrue(notes.contains("no config.json was found"), notes);
                var golden = Golden.read(Golden.resource("megatron").resolve(name + "/expected/model.safetensors"));
                String query = "model.layers.1.self_attn.q_proj.weight";
                assertArrayEquals(
                        golden.get(query).bytes(),
                        Golden.bytes(checkpoint.tensors().tensor(query), 1 << 20));
            }
            delete(input);
        }
    }

    @Test
    void theIterationAskedForIsOpened() throws IOException {
        Path input = copy("train20_llama_padded_tp2");
        Files.delete(input.resolve("latest_checkpointed_iteration.txt"));
        copy(input.resolve("iter_0000010"), input.resolve("iter_0000020"));
        assertRefused(Code.K2002, "2 iterations and no latest_checkpointed_iteration.txt", input);
        OpenOptions asked = OpenOptions.defaults().withIteration(20);
        try (Checkpoint checkpoint = Checkpoints.open(List.of(input), asked, Job.quiet())) {
            assertTrue(checkpoint.directories().getFirst().endsWith("iter_0000020"));
            assertEquals(
                    List.of(Note.information("opened iter_0000020; there are also iter_0000010")),
                    checkpoint.notes().subList(0, 1));
        }
        OpenOptions absent = OpenOptions.defaults().withIteration(30);
        Fault fault = assertThrows(
                Fault.class,
                () -> Checkpoints.open(List.of(input), absent, Job.quiet()).close());
        assertEquals(Code.K2001, fault.code());
    }

    @Test
    void unmappedTensorsAreDroppedOnlyIfNamed() throws IOException {
        DistWriter writer = dist(17, Form.STACKED);
        short[] elements = new short[3];
        writer.entries.put(
                "decoder.layers.mlp.rotor.weight",
                new Entry(
                        new int[] {3, 1}, new ArrayList<>(List.of(new Chunk(new int[2], new int[] {3, 1}, elements)))));
        writer.write(scratch.resolve("dist_ckpt"));
        assertRefused(Code.K4011, "3 tensors are not mapped: decoder.layers.0.mlp.rotor.weight", scratch);
        OpenOptions dropping = OpenOptions.defaults().dropping(n -> n.contains(".mlp."));
        try (Checkpoint checkpoint = Checkpoints.open(List.of(scratch), dropping, Job.quiet())) {
            assertTrue(checkpoint.ignored().contains("decoder.layers.2.mlp.rotor.weight (not mapped; dropped)"));
            assertTrue(
                    checkpoint.tensors().names().stream().anyMatch(n -> n.contains("layers.2.mlp.")),
                    "mapped tensors stay");
        }
        delete(scratch.resolve("huggingface"));
        Path step = legacyFile("mp_rank_00", 3.0, Map.of("decoder.rotor.weight", values(2, 2)));
        Fault fault = assertThrows(
                Fault.class,
                () -> Checkpoints.open(List.of(step), dropping.dropping(n -> n.contains("rotor")), Job.quiet())
                        .close());
        assertEquals(Code.K3001, fault.code(), "dropped, then found to hold nothing: " + fault.what());
    }

    @Test
    void filesOfTwoIterationsAreNotMixed() throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("checkpoint_version", 3.0);
        root.put("model", Map.of());
        for (int rank = 0; rank < 2; rank++) {
            root.put("iteration", 10 + rank);
            Path folder = Files.createDirectories(scratch.resolve("release/mp_rank_0" + rank));
            Files.write(folder.resolve("model_optim_rng.pt"), TorchWriter.save(root));
        }
        assertRefused(Code.K3002, "mp_rank_01 is of iteration 11", scratch.resolve("release"));
    }

    private DistWriter dist(long seed, Form form) throws IOException {
        Random random = new Random(seed);
        RandomModel model = new RandomModel(random, 2, 1, 3, true);
        while (model.denseFirst) {
            model = new RandomModel(random, 2, 1, 3, true);
        }
        Files.writeString(
                Files.createDirectories(scratch.resolve("huggingface")).resolve("config.json"), model.config());
        return new DistWriter(model, form, 2, random);
    }

    @Test
    void aLayerThatNobodySavedIsAGap() throws IOException {
        DistWriter writer = dist(11, Form.STACKED);
        Entry norm = writer.entries.get("decoder.layers.self_attention.linear_proj.weight");
        norm.chunks().removeIf(c -> c.offset()[0] == 1);
        writer.write(scratch.resolve("dist_ckpt"));
        assertRefused(Code.K3005, "2 of 3 layers and experts", scratch);
    }

    @Test
    void aRankThatDidNotSaveIsAGap() throws IOException {
        DistWriter writer = dist(12, Form.PER_LAYER);
        List<Chunk> chunks = writer.entries
                .get("decoder.layers.1.self_attention.linear_qkv.weight")
                .chunks();
        chunks.removeLast();
        writer.write(scratch.resolve("dist_ckpt"));
        Fault fault = refused(scratch);
        assertEquals(Code.K3005, fault.code());
        assertTrue(fault.what().startsWith("decoder.layers.1.self_attention.linear_qkv.weight"), fault.what());
    }

    @Test
    void aWholeStageThatIsMissingIsNamed() throws IOException {
        DistWriter writer = dist(13, Form.PER_LAYER);
        writer.entries.keySet().removeIf(n -> n.startsWith("decoder.layers.2."));
        writer.write(scratch.resolve("dist_ckpt"));
        assertRefused(Code.K3001, "the files hold 2 layers, the configuration says 3", scratch);
    }

    @Test
    void aCheckpointOfOptimizerStateAloneSaysWhereTheWeightsAre() throws IOException {
        DistWriter writer = dist(14, Form.STACKED);
        Map<String, Entry> entries = new LinkedHashMap<>(writer.entries);
        writer.entries.clear();
        entries.forEach((name, entry) -> writer.entries.put("optimizer.state.exp_avg." + name, entry));
        writer.write(scratch.resolve("dist_ckpt"));
        Fault fault = refused(scratch);
        assertEquals(Code.K2001, fault.code());
        assertTrue(fault.why().contains("huggingface/"), fault.why());
    }

    @Test
    void theHeadOfAValueModelIsItsScore() throws IOException {
        DistWriter writer = dist(15, Form.STACKED);
        writer.entries.remove("output_layer.weight");
        int hidden = writer.entries.get("embedding.word_embeddings.weight").shape()[1];
        short[] score = new short[hidden];
        score[0] = 42;
        writer.entries.put(
                "output_layer.weight",
                new Entry(
                        new int[] {1, hidden},
                        new ArrayList<>(List.of(new Chunk(new int[2], new int[] {1, hidden}, score)))));
        writer.entries.put(
                "output_layer.bias",
                new Entry(new int[] {1}, new ArrayList<>(List.of(new Chunk(new int[1], new int[] {1}, new short[1])))));
        writer.write(scratch.resolve("dist_ckpt"));
        try (Checkpoint checkpoint = open(scratch)) {
            assertEquals(42, Golden.bytes(checkpoint.tensors().tensor("score.weight"), 16)[0]);
            assertTrue(checkpoint.tensors().has("score.bias"));
            assertFalse(checkpoint.tensors().has("lm_head.weight"));
        }
    }

    @Test
    void wrapperPrefixesAreNoPartOfANameAndOptimizersOfChainsAreLeftOut() throws IOException {
        DistWriter writer = dist(16, Form.STACKED);
        Map<String, Entry> entries = new LinkedHashMap<>(writer.entries);
        writer.entries.clear();
        entries.forEach((name, entry) -> {
            writer.entries.put("module." + name, entry);
            writer.entries.put("chained_0.optimizer.state.exp_avg." + name, entry);
        });
        writer.write(scratch.resolve("dist_ckpt"));
        try (Checkpoint checkpoint = open(scratch)) {
            assertTrue(checkpoint.tensors().has("model.layers.2.self_attn.v_proj.weight"));
            assertTrue(checkpoint.ignored().toString().contains("chained_0.optimizer"));
        }
    }
}
