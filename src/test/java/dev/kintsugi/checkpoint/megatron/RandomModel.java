package dev.kintsugi.checkpoint.megatron;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/// A small random model, and how Megatron-Core would see it: the opposite direction of what is tested, one
/// element at a time.
final class RandomModel {
    /// How tensor-parallel ranks split a tensor.
    enum Split {
        SAME,
        ROWS,
        COLUMNS,
        GATE_UP
    }

    /// A tensor of Megatron's, whole. For `GATE_UP` the gate is above the up projection.
    record Piece(String name, Matrix matrix, Split split) {
        /// What rank `rank` of `ways` holds.
        Matrix local(int rank, int ways) {
            return switch (split) {
                case SAME -> matrix;
                case ROWS -> matrix.rows(rank * matrix.rows() / ways, matrix.rows() / ways);
                case COLUMNS -> matrix.columns(rank * matrix.columns() / ways, matrix.columns() / ways);
                case GATE_UP -> Matrix.below(gate(rank, ways), up(rank, ways));
            };
        }

        Matrix gate(int rank, int ways) {
            int half = matrix.rows() / 2;
            return matrix.rows(rank * half / ways, half / ways);
        }

        Matrix up(int rank, int ways) {
            int half = matrix.rows() / 2;
            return matrix.rows(half + rank * half / ways, half / ways);
        }
    }

    final int layers;
    final int tp;
    final int heads;
    final int groups;
    final int words;
    final int paddedWords;
    final int experts;
    final boolean tied;
    final boolean denseFirst;
    final String modelType;
    /// What Hugging Face has.
    final Map<String, Matrix> tensors = new LinkedHashMap<>();
    /// What Megatron has outside of the layers.
    final List<Piece> outside = new ArrayList<>();
    /// What Megatron has in each layer, names without `decoder.layers.N.`; experts are numbered from 0.
    final List<List<Piece>> inLayers = new ArrayList<>();

    private final Random random;
    private final int headDim;
    private final int hidden;
    private final boolean fused;
    /// How ranks split the down projections of latent attention.
    private final Split down;

    /// `fused` for the names of Transformer Engine, where norms belong to the linear layer behind them.
    RandomModel(Random random, int tp, int ep, int layers, boolean fused) {
        this(random, tp, ep, layers, fused, false);
    }

    /// The same with multi-head latent attention, if `latent`.
    RandomModel(Random random, int tp, int ep, int layers, boolean fused, boolean latent) {
        this(random, tp, ep, layers, fused, latent, false);
    }

    /// The same with fewer query groups than tensor-parallel ranks, if `fewGroups`: ranks hold parts of a group.
    RandomModel(Random random, int tp, int ep, int layers, boolean fused, boolean latent, boolean fewGroups) {
        this.random = random;
        this.tp = tp;
        this.layers = layers;
        this.fused = fused;
        this.groups = fewGroups ? 1 : tp * (1 + random.nextInt(2));
        this.heads = fewGroups ? tp * (1 + random.nextInt(2)) : groups * (1 + random.nextInt(3));
        this.headDim = (fewGroups ? tp : 1) * (1 + random.nextInt(4));
        this.hidden = 1 + random.nextInt(6);
        int multiple = tp * (1 + random.nextInt(4));
        this.words = 1 + random.nextInt(20);
        this.paddedWords = (words + multiple - 1) / multiple * multiple;
        String drawn =
                List.of("llama", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe").get(random.nextInt(ep > 1 ? 3 : 0, 5));
        this.modelType = latent ? "deepseek_v3" : drawn;
        this.down = latent && random.nextBoolean() ? Split.ROWS : Split.SAME;
        this.experts = latent || modelType.endsWith("moe") ? ep * (1 + random.nextInt(3)) : 0;
        this.tied = random.nextInt(3) == 0;
        this.denseFirst = experts > 0 && random.nextInt(3) == 0;
        Matrix embedding = vocabulary("embedding.word_embeddings.weight", "model.embed_tokens.weight");
        if (tied) {
            outside.add(new Piece("output_layer.weight", embedding, Split.ROWS));
        } else {
            vocabulary("output_layer.weight", "lm_head.weight");
        }
        outside.add(new Piece("decoder.final_layernorm.weight", put("model.norm.weight", hidden, 0), Split.SAME));
        for (int layer = 0; layer < layers; layer++) {
            inLayers.add(layer(layer));
        }
    }

    String config() {
        return """
            {"model_type": "%s", "num_attention_heads": %d, "num_key_value_heads": %d, "head_dim": %d,
             "vocab_size": %d, "num_hidden_layers": %d, "tie_word_embeddings": %s, "q_lora_rank": %d,
             "kv_lora_rank": %d, "qk_rope_head_dim": %d}
            """.formatted(modelType, heads, groups, headDim, words, layers, tied, 2 * tp, 3 * tp, headDim * tp);
    }

    private Matrix put(String name, int rows, int columns) {
        Matrix matrix = Matrix.random(random, rows, columns);
        tensors.put(name, matrix);
        return matrix;
    }

    private Matrix vocabulary(String megatron, String huggingFace) {
        Matrix words = put(huggingFace, this.words, hidden);
        Matrix padded = Matrix.below(words, Matrix.random(random, paddedWords - this.words, hidden));
        outside.add(new Piece(megatron, padded, Split.ROWS));
        return padded;
    }

    private List<Piece> layer(int layer) {
        List<Piece> pieces = new ArrayList<>();
        String prefix = "model.layers." + layer + ".";
        boolean moe = experts > 0 && !(denseFirst && layer == 0);
        boolean latent = modelType.startsWith("deepseek");
        pieces.add(new Piece(
                fused && !latent ? "self_attention.linear_qkv.layer_norm_weight" : "input_layernorm.weight",
                put(prefix + "input_layernorm.weight", hidden, 0),
                Split.SAME));
        if (latent) {
            latentAttention(pieces, prefix + "self_attn.");
        } else {
            pieces.add(new Piece("self_attention.linear_qkv.weight", attention(prefix, "weight", hidden), Split.ROWS));
        }
        if (modelType.startsWith("qwen2")) {
            pieces.add(new Piece("self_attention.linear_qkv.bias", attention(prefix, "bias", 0), Split.ROWS));
        }
        pieces.add(new Piece(
                "self_attention.linear_proj.weight",
                put(prefix + "self_attn.o_proj.weight", hidden, heads * headDim),
                Split.COLUMNS));
        if (modelType.startsWith("qwen3")) {
            for (String of : List.of("q", "k")) {
                pieces.add(new Piece(
                        "self_attention." + of + "_layernorm.weight",
                        put(prefix + "self_attn." + of + "_norm.weight", headDim, 0),
                        Split.SAME));
            }
        }
        pieces.add(new Piece(
                fused && !moe ? "mlp.linear_fc1.layer_norm_weight" : "pre_mlp_layernorm.weight",
                put(prefix + "post_attention_layernorm.weight", hidden, 0),
                Split.SAME));
        if (!moe) {
            mlp(pieces, "mlp.", prefix + "mlp.");
            return pieces;
        }
        pieces.add(new Piece("mlp.router.weight", put(prefix + "mlp.gate.weight", experts, hidden), Split.SAME));
        for (int expert = 0; expert < experts; expert++) {
            mlp(pieces, "mlp.experts.experts." + expert + ".", prefix + "mlp.experts." + expert + ".");
        }
        if (modelType.startsWith("deepseek")) {
            mlp(pieces, "mlp.shared_experts.", prefix + "mlp.shared_experts.");
        }
        if (modelType.equals("qwen2_moe")) {
            mlp(pieces, "mlp.shared_experts.", prefix + "mlp.shared_expert.");
            pieces.add(new Piece(
                    "mlp.shared_experts.gate_weight",
                    put(prefix + "mlp.shared_expert_gate.weight", 1, hidden),
                    Split.SAME));
        }
        return pieces;
    }

    private void latentAttention(List<Piece> pieces, String prefix) {
        latent(pieces, "q", "down_proj.weight", put(prefix + "q_a_proj.weight", 2 * tp, hidden), down);
        latent(
                pieces,
                "q",
                fused ? "up_proj.layer_norm_weight" : "",
                put(prefix + "q_a_layernorm.weight", 2 * tp, 0),
                Split.SAME);
        latent(pieces, "q", "up_proj.weight", put(prefix + "q_b_proj.weight", heads * headDim, 2 * tp), Split.ROWS);
        int rank = 3 * tp;
        int compressed = rank + headDim * tp;
        latent(pieces, "kv", "down_proj.weight", put(prefix + "kv_a_proj_with_mqa.weight", compressed, hidden), down);
        latent(
                pieces,
                "kv",
                fused ? "up_proj.layer_norm_weight" : "",
                put(prefix + "kv_a_layernorm.weight", rank, 0),
                Split.SAME);
        latent(pieces, "kv", "up_proj.weight", put(prefix + "kv_b_proj.weight", heads * headDim, rank), Split.ROWS);
    }

    /// A piece of the `q` or `kv` side; the norm has no name in the linear layer unless it is fused with it.
    private static void latent(List<Piece> pieces, String side, String name, Matrix matrix, Split split) {
        pieces.add(new Piece(
                "self_attention." + (name.isEmpty() ? side + "_layernorm.weight" : "linear_" + side + "_" + name),
                matrix,
                split));
    }

    private Matrix attention(String prefix, String kind, int columns) {
        Matrix query = put(prefix + "self_attn.q_proj." + kind, heads * headDim, columns);
        Matrix key = put(prefix + "self_attn.k_proj." + kind, groups * headDim, columns);
        Matrix value = put(prefix + "self_attn.v_proj." + kind, groups * headDim, columns);
        List<Matrix> parts = new ArrayList<>();
        for (int group = 0; group < groups; group++) {
            for (int head = 0; head < heads; head++) {
                if (head / (heads / groups) == group) {
                    parts.add(query.rows(head * headDim, headDim));
                }
            }
            parts.add(key.rows(group * headDim, headDim));
            parts.add(value.rows(group * headDim, headDim));
        }
        return Matrix.below(parts.toArray(Matrix[]::new));
    }

    private void mlp(List<Piece> pieces, String megatron, String huggingFace) {
        // All experts of a stack are of one size.
        int inner = tp * 2;
        Matrix gate = put(huggingFace + "gate_proj.weight", inner, hidden);
        Matrix up = put(huggingFace + "up_proj.weight", inner, hidden);
        pieces.add(new Piece(megatron + "linear_fc1.weight", Matrix.below(gate, up), Split.GATE_UP));
        pieces.add(new Piece(
                megatron + "linear_fc2.weight", put(huggingFace + "down_proj.weight", hidden, inner), Split.COLUMNS));
    }
}
