package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.megatron.DistWriter.Chunk;
import dev.kintsugi.checkpoint.megatron.DistWriter.Entry;
import dev.kintsugi.checkpoint.megatron.DistWriter.Form;
import dev.kintsugi.checkpoint.megatron.OptimizerWriter.Grouping;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Values;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Optimizers of Megatron: what is named by proof, and what is refused by name.
class MegatronOptimizerTest {
    private static final String NORM = "decoder.layers.0.input_layernorm.weight";
    private static final String OTHER = "decoder.layers.0.pre_mlp_layernorm.weight";

    @TempDir
    Path scratch;

    private static Optional<OptimizerCheckpoint> open(Path path) {
        return Checkpoints.openOptimizer(List.of(path), OpenOptions.defaults(), Job.quiet());
    }

    private Fault assertRefused(String what, String why) {
        Fault fault = assertThrows(Fault.class, () -> open(scratch).ifPresent(OptimizerCheckpoint::close));
        assertEquals(Code.K4012, fault.code(), fault.what());
        assertTrue(fault.what().contains(what), fault.what());
        assertTrue(fault.why().contains(why), fault.why());
        return fault;
    }

    /// A rank's file of a model of one layer, its optimizer spoilt by the caller.
    private static Map<String, Object> weights() {
        Map<String, Object> model = new LinkedHashMap<>();
        model.put("embedding.word_embeddings.weight", new Values(new int[] {2, 2}, new short[] {1, 2, 3, 4}));
        model.put(NORM, new Values(new int[] {2}, new short[] {5, 6}));
        model.put(OTHER, new Values(new int[] {2}, new short[] {7, 8}));
        model.put("decoder.final_layernorm.weight", new Values(new int[] {2}, new short[] {9, 10}));
        model.put("output_layer.weight", new Values(new int[] {2, 2}, new short[] {11, 12, 13, 14}));
        return model;
    }

    private void write(Map<String, Object> model, Object optimizer) throws IOException {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("checkpoint_version", 3.0);
        root.put("model", model);
        root.put("optimizer", optimizer);
        Path folder = Files.createDirectories(scratch.resolve("mp_rank_00"));
        Files.write(folder.resolve("model_optim_rng.pt"), TorchWriter.save(root));
    }

    private static Object optimizer(Map<String, Object> model) {
        return new OptimizerWriter(false, Grouping.DECAY).of(List.of(model));
    }

    @Test
    void severalGroupsAreNamedAndTheirMembersListed() throws IOException {
        write(weights(), optimizer(weights()));
        try (OptimizerCheckpoint optimizer = open(scratch).orElseThrow()) {
            assertEquals(
                    List.of("model.embed_tokens.weight", "lm_head.weight"),
                    optimizer
                            .settings()
                            .path("param_groups")
                            .path(0)
                            .path("params")
                            .valueStream()
                            .map(n -> n.asString())
                            .toList());
            assertEquals(
                    3,
                    optimizer
                            .settings()
                            .path("param_groups")
                            .path(1)
                            .path("params")
                            .size());
            assertEquals(15, optimizer.state().tensors().names().size());
        }
    }

    @Test
    void numbersInAnotherOrderThanTheModelsAreRefusedByTheirMasters() throws IOException {
        Map<String, Object> turned = new LinkedHashMap<>();
        weights().forEach((name, values) -> {
            if (!name.equals(NORM)) {
                turned.put(name, values);
            }
            if (name.equals(OTHER)) {
                turned.put(NORM, weights().get(NORM));
            }
        });
        write(weights(), optimizer(turned));
        assertRefused(NORM, "not in the order of the model");
    }

    @Test
    void frozenParametersLeaveTheNumbersUnknown() throws IOException {
        Map<String, Object> trained = weights();
        trained.remove(NORM);
        write(weights(), optimizer(trained));
        assertRefused("4 numbered parameters in 2 groups, of a model of 5", "frozen");
    }

    @Test
    void theDistributedOptimizerIsRefusedByName() throws IOException {
        write(weights(), Map.of("optimizer", Map.of("param_groups", List.of(Map.of("lr", 0.5)))));
        assertRefused("mp_rank_00/model_optim_rng.pt", "flat buffers");
        Files.write(scratch.resolve("mp_rank_00/distrib_optim.pt"), new byte[8]);
        assertRefused("mp_rank_00/distrib_optim.pt", "flat buffers");
    }

    @Test
    void aCheckpointWithoutOptimizerHasNone() {
        for (String name : List.of("verl_qwen2_tp2_pp2", "legacy_llama_release")) {
            assertTrue(
                    open(Golden.resource("megatron").resolve(name + "/input")).isEmpty());
        }
    }

    private DistWriter dist() throws IOException {
        RandomModel model = new RandomModel(new Random(3), 2, 1, 2, false);
        Files.writeString(
                Files.createDirectories(scratch.resolve("huggingface")).resolve("config.json"), model.config());
        return new DistWriter(model, Form.PER_LAYER, 2, new Random(3));
    }

    /// One whose piece is told to be of another shape than the parameter.
    @Test
    void stateOfAnotherShapeThanItsParameterIsRefused() throws IOException {
        DistWriter writer = dist();
        int[] shape = writer.entries.get("embedding.word_embeddings.weight").shape();
        int count = shape[0] * shape[1];
        int[] flat = {2, 1, count / 2};
        writer.entries.put(
                "optimizer.state.exp_avg.embedding.word_embeddings.weight",
                new Entry(flat, new ArrayList<>(List.of(new Chunk(new int[3], flat, new short[count])))));
        writer.write(scratch.resolve("dist_ckpt"));
        assertRefused("optimizer.state.exp_avg.embedding.word_embeddings.weight is BF16 [2, 1,", "flattened");
    }

    @Test
    void bucketsOfTheDistributedOptimizerAreRefused() throws IOException {
        DistWriter writer = dist();
        String name = "chained_0.optimizer.distributed.dp_group_idx_0.gbuf_idx_0.bucket_idx_0.exp_avg";
        int[] shape = {4};
        writer.entries.put(
                name, new Entry(shape, new ArrayList<>(List.of(new Chunk(new int[1], shape, new short[4])))));
        writer.write(scratch.resolve("dist_ckpt"));
        Fault fault = assertRefused(name, "saved as dp_reshardable");
        assertTrue(fault.next().contains("--dist-ckpt-optim-fully-reshardable"), fault.next());
    }

    @Test
    void buffersGatheredOnOneRankAreRefused() throws IOException {
        DistWriter writer = dist();
        writer.objects.add("optimizer.distributed.dp_group_idx_0.param_state/shard_0_1");
        writer.write(scratch.resolve("dist_ckpt"));
        assertRefused("optimizer.distributed.dp_group_idx_0.param_state", "saved as dp_zero_gather_scatter");
    }

    /// `fully_reshardable` writes states like those of any optimizer, and the master as `param`.
    @Test
    void aFullyReshardableOptimizerIsReadByParameter() throws IOException {
        DistWriter writer = dist();
        Map<String, Entry> states = new LinkedHashMap<>();
        writer.entries.forEach((name, entry) -> {
            for (String state : List.of("param", "exp_avg", "exp_avg_sq")) {
                states.put(
                        "optimizer.state." + state + "." + name,
                        new Entry(entry.shape(), new ArrayList<>(entry.chunks())));
            }
        });
        writer.entries.putAll(states);
        writer.write(scratch.resolve("dist_ckpt"));
        try (OptimizerCheckpoint optimizer = open(scratch).orElseThrow()) {
            assertTrue(optimizer.state().tensors().has("model.norm.weight.fp32"));
            assertTrue(optimizer.state().tensors().has("model.layers.1.self_attn.q_proj.weight.exp_avg_sq"));
        }
    }
}
