package dev.kintsugi.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.zip.ZipOutputStream;

/// Writes a legacy Megatron checkpoint of a Llama model in random BF16: `mp_rank_TT_PPP/model_optim_rng.pt`.
///
/// About 40 MB a layer, and 134 MB of embedding and head.
final class MegatronWriter {
    static final int TENSOR_PARALLEL = 4;
    static final int STAGES = 2;
    private static final int HIDDEN = 1024;
    private static final int HEADS = 16;
    private static final int GROUPS = 4;
    private static final int HEAD_DIM = 64;
    private static final int INTERMEDIATE = 4864;
    private static final int WORDS = 32768;

    private MegatronWriter() {}

    /// Writes `layers` layers into `directory`, unless they are there.
    static void write(Path directory, int layers) throws IOException {
        Path complete = SampleModels.complete(directory);
        if (Files.exists(complete)) {
            return;
        }
        Path sidecars = Files.createDirectories(directory.resolve("huggingface"));
        Files.writeString(sidecars.resolve("config.json"), config(layers));
        Files.writeString(directory.resolve("latest_checkpointed_iteration.txt"), "1");
        for (int stage = 0; stage < STAGES; stage++) {
            for (int rank = 0; rank < TENSOR_PARALLEL; rank++) {
                Path place = Files.createDirectories(
                        directory.resolve(String.format(Locale.ROOT, "iter_0000001/mp_rank_%02d_%03d", rank, stage)));
                file(place.resolve("model_optim_rng.pt"), locals(layers, stage), layers, stage * 16 + rank);
            }
        }
        Files.writeString(complete, "");
    }

    /// What each tensor-parallel rank of `stage` holds.
    private static SequencedMap<String, long[]> locals(int layers, int stage) {
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        if (stage == 0) {
            shapes.put("embedding.word_embeddings.weight", new long[] {WORDS / TENSOR_PARALLEL, HIDDEN});
        }
        int first = stage * layers / STAGES;
        int end = (stage + 1) * layers / STAGES;
        for (int i = 0; i < end - first; i++) {
            String layer = "decoder.layers." + i + ".";
            long qkv = (HEADS + 2L * GROUPS) * HEAD_DIM;
            shapes.put(layer + "input_layernorm.weight", new long[] {HIDDEN});
            shapes.put(
                    layer + "self_attention.linear_proj.weight",
                    new long[] {HIDDEN, (long) HEADS * HEAD_DIM / TENSOR_PARALLEL});
            shapes.put(layer + "self_attention.linear_qkv.weight", new long[] {qkv / TENSOR_PARALLEL, HIDDEN});
            shapes.put(layer + "pre_mlp_layernorm.weight", new long[] {HIDDEN});
            shapes.put(layer + "mlp.linear_fc1.weight", new long[] {2L * INTERMEDIATE / TENSOR_PARALLEL, HIDDEN});
            shapes.put(layer + "mlp.linear_fc2.weight", new long[] {HIDDEN, INTERMEDIATE / TENSOR_PARALLEL});
        }
        if (stage == STAGES - 1) {
            shapes.put("decoder.final_layernorm.weight", new long[] {HIDDEN});
            shapes.put("output_layer.weight", new long[] {WORDS / TENSOR_PARALLEL, HIDDEN});
        }
        return shapes;
    }

    private static void file(Path path, SequencedMap<String, long[]> tensors, int layers, long seed)
            throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 20);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            zip.setMethod(ZipOutputStream.STORED);
            RankWriter.put(zip, "model_optim_rng/data.pkl", pickle(tensors, layers));
            RankWriter.put(zip, "model_optim_rng/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
            int number = 0;
            for (long[] shape : tensors.values()) {
                long bytes = 2;
                for (long dim : shape) {
                    bytes *= dim;
                }
                // Ranks hold the same norms.
                long of = shape.length == 1 ? 0 : seed;
                RankWriter.random(zip, "model_optim_rng/data/" + number, bytes, of * 1_000_003 + number);
                number++;
            }
            RankWriter.put(zip, "model_optim_rng/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        }
    }

    private static byte[] pickle(SequencedMap<String, long[]> tensors, int layers) {
        Pickler out = new Pickler();
        out.op('}').mark();
        out.text("args").global("argparse", "Namespace").newObject().op('}').mark();
        out.text("tensor_model_parallel_size").number(TENSOR_PARALLEL);
        out.text("pipeline_model_parallel_size").number(STAGES);
        out.text("num_layers").number(layers);
        out.text("num_attention_heads").number(HEADS);
        out.text("num_query_groups").number(GROUPS);
        out.text("padded_vocab_size").number(WORDS);
        out.op('u').op('b');
        out.text("checkpoint_version").number(3);
        out.text("iteration").number(1);
        out.text("model").global("collections", "OrderedDict").op(')').reduce().mark();
        int number = 0;
        for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
            out.text(tensor.getKey());
            RankWriter.tensor(out, "BFloat16Storage", Integer.toString(number++), tensor.getValue());
        }
        return out.op('u').op('u').finish();
    }

    private static String config(int layers) {
        return """
            {
              "architectures": [
                "LlamaForCausalLM"
              ],
              "dtype": "bfloat16",
              "head_dim": %d,
              "hidden_size": %d,
              "intermediate_size": %d,
              "model_type": "llama",
              "num_attention_heads": %d,
              "num_hidden_layers": %d,
              "num_key_value_heads": %d,
              "tie_word_embeddings": false,
              "vocab_size": %d
            }
            """.formatted(HEAD_DIM, HIDDEN, INTERMEDIATE, HEADS, layers, GROUPS, WORDS);
    }
}
