package dev.kintsugi.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Checkpoints of Qwen2 shapes in FSDP's layouts.
final class SampleModels {
    /// How a checkpoint is sharded.
    enum Sharding {
        SHARD0,
        SHARD1,
        HSDP,
        FSDP_TP
    }

    private SampleModels() {}

    /// The shapes of Qwen2-0.5B with `layers` layers: 988 MB in BF16 with 24.
    static SequencedMap<String, long[]> shapes(int layers) {
        long hidden = 896;
        long heads = 896;
        long keyValue = 128;
        long intermediate = 4864;
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", new long[] {151936, hidden});
        for (int i = 0; i < layers; i++) {
            String layer = "model.layers." + i + ".";
            shapes.put(layer + "self_attn.q_proj.weight", new long[] {heads, hidden});
            shapes.put(layer + "self_attn.q_proj.bias", new long[] {heads});
            shapes.put(layer + "self_attn.k_proj.weight", new long[] {keyValue, hidden});
            shapes.put(layer + "self_attn.k_proj.bias", new long[] {keyValue});
            shapes.put(layer + "self_attn.v_proj.weight", new long[] {keyValue, hidden});
            shapes.put(layer + "self_attn.v_proj.bias", new long[] {keyValue});
            shapes.put(layer + "self_attn.o_proj.weight", new long[] {hidden, heads});
            shapes.put(layer + "mlp.gate_proj.weight", new long[] {intermediate, hidden});
            shapes.put(layer + "mlp.up_proj.weight", new long[] {intermediate, hidden});
            shapes.put(layer + "mlp.down_proj.weight", new long[] {hidden, intermediate});
            shapes.put(layer + "input_layernorm.weight", new long[] {hidden});
            shapes.put(layer + "post_attention_layernorm.weight", new long[] {hidden});
        }
        shapes.put("model.norm.weight", new long[] {hidden});
        return shapes;
    }

    /// Writes a checkpoint of `layers` layers on four ranks into `directory`, unless one is there.
    static void fsdp(Path directory, int layers, Sharding sharding) throws IOException {
        if (Files.exists(directory.resolve("complete"))) {
            return;
        }
        Path sidecars = Files.createDirectories(directory.resolve("huggingface"));
        Files.writeString(sidecars.resolve("config.json"), config(layers));
        boolean flat = sharding == Sharding.SHARD0 || sharding == Sharding.SHARD1;
        long[] mesh = flat ? new long[] {4} : new long[] {2, 2};
        List<String> names =
                flat ? List.of("fsdp") : sharding == Sharding.HSDP ? List.of("ddp", "fsdp") : List.of("fsdp", "tp");
        for (int rank = 0; rank < 4; rank++) {
            List<RankWriter.Entry> entries = new ArrayList<>();
            for (Map.Entry<String, long[]> shape : shapes(layers).entrySet()) {
                entries.add(entry(shape.getKey(), shape.getValue(), sharding));
            }
            long seed = sharding == Sharding.HSDP ? rank % 2 : rank;
            new RankWriter(entries, mesh, names)
                    .write(directory.resolve("model_world_size_4_rank_" + rank + ".pt"), seed);
        }
        Files.writeString(directory.resolve("fsdp_config.json"), "{\"FSDP_version\": 2, \"world_size\": 4}");
        Files.writeString(directory.resolve("complete"), "");
    }

    private static RankWriter.Entry entry(String name, long[] global, Sharding sharding) {
        long[] local = global.clone();
        boolean matrix = global.length == 2;
        return switch (sharding) {
            case SHARD0 -> {
                local[0] /= 4;
                yield new RankWriter.Entry(name, global, local, List.of("0"));
            }
            case SHARD1 -> {
                int dim = matrix ? 1 : 0;
                local[dim] /= 4;
                yield new RankWriter.Entry(name, global, local, List.of(Integer.toString(dim)));
            }
            case HSDP -> {
                local[0] /= 2;
                yield new RankWriter.Entry(name, global, local, List.of("R", "0"));
            }
            case FSDP_TP -> {
                local[0] /= 2;
                if (matrix) {
                    local[1] /= 2;
                }
                yield new RankWriter.Entry(name, global, local, List.of("0", matrix ? "1" : "R"));
            }
        };
    }

    private static String config(int layers) {
        return """
            {
              "architectures": [
                "Qwen2ForCausalLM"
              ],
              "dtype": "bfloat16",
              "hidden_size": 896,
              "intermediate_size": 4864,
              "model_type": "qwen2",
              "num_attention_heads": 14,
              "num_hidden_layers": %d,
              "num_key_value_heads": 2,
              "tie_word_embeddings": true,
              "vocab_size": 151936
            }
            """.formatted(layers);
    }
}
