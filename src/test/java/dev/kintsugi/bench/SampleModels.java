package dev.kintsugi.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.StringJoiner;

/// Checkpoints of Qwen2 shapes in FSDP's layouts.
final class SampleModels {
    /// How a checkpoint is sharded.
    enum Sharding {
        SHARD0,
        SHARD1,
        HSDP,
        FSDP_TP,
        STRIDED
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

    /// The file that says that the data in `directory` is whole.
    static Path complete(Path directory) {
        return directory.resolveSibling(directory.getFileName() + ".complete");
    }

    /// Writes a checkpoint of `layers` layers on four ranks into `directory`, unless one is there.
    static void fsdp(Path directory, int layers, Sharding sharding) throws IOException {
        Path complete = complete(directory);
        if (Files.exists(complete)) {
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
        Files.writeString(complete, "");
    }

    /// Writes a Hugging Face model of `layers` layers and random BF16, unless one is there.
    static void huggingFace(Path directory, int layers, long seed) throws IOException {
        Path complete = complete(directory);
        if (Files.exists(complete)) {
            return;
        }
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), config(layers));
        try (OutputStream out =
                new BufferedOutputStream(Files.newOutputStream(directory.resolve("model.safetensors")))) {
            out.write(header(layers));
            RankWriter.random(out, dataBytes(layers), seed);
        }
        Files.writeString(complete, "");
    }

    /// Writes a checkpoint of `tensors` small tensors on `ranks` ranks, split along dim `dim`, unless one is
    /// there.
    static void small(Path directory, int ranks, int tensors, int dim) throws IOException {
        Path complete = complete(directory);
        if (Files.exists(complete)) {
            return;
        }
        Files.createDirectories(directory);
        List<RankWriter.Entry> entries = new ArrayList<>();
        long[] global = dim == 0 ? new long[] {ranks, 8} : new long[] {8, ranks};
        long[] local = dim == 0 ? new long[] {1, 8} : new long[] {8, 1};
        for (int i = 0; i < tensors; i++) {
            entries.add(new RankWriter.Entry(
                    "model.layers." + i / 10 + ".part" + i % 10, global, local, List.of(Integer.toString(dim))));
        }
        RankWriter writer = new RankWriter(entries, new long[] {ranks}, List.of("fsdp"));
        for (int rank = 0; rank < ranks; rank++) {
            writer.write(directory.resolve("model_world_size_" + ranks + "_rank_" + rank + ".pt"), rank);
        }
        Files.writeString(complete, "");
    }

    /// Writes a Hugging Face model of `layers` layers whose weights are a hole in the file: zeros that take no disk.
    static void sparse(Path directory, int layers) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), config(layers));
        byte[] head = header(layers);
        try (RandomAccessFile file =
                new RandomAccessFile(directory.resolve("model.safetensors").toFile(), "rw")) {
            file.write(head);
            file.setLength(head.length + dataBytes(layers));
        }
    }

    private static long dataBytes(int layers) {
        return 2
                * shapes(layers).values().stream()
                        .mapToLong(s -> Arrays.stream(s).reduce(1, Math::multiplyExact))
                        .sum();
    }

    /// What stands before the data of a safetensors file.
    private static byte[] header(int layers) {
        StringJoiner header = new StringJoiner(",", "{", "}");
        long end = 0;
        for (Map.Entry<String, long[]> tensor : shapes(layers).entrySet()) {
            long start = end;
            end += 2 * Arrays.stream(tensor.getValue()).reduce(1, Math::multiplyExact);
            header.add(String.format(
                    "\"%s\":{\"dtype\":\"BF16\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                    tensor.getKey(), Arrays.toString(tensor.getValue()), start, end));
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(Long.BYTES + json.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .array();
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
            case STRIDED -> {
                local[0] /= 4;
                yield new RankWriter.Entry(name, global, local, List.of("0/2", "0"));
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
