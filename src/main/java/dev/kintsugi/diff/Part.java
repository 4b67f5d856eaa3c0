package dev.kintsugi.diff;

import java.util.List;
import java.util.Locale;

/// The part of a model a tensor belongs to, told from its name.
public enum Part {
    EMBEDDING,
    ATTENTION,
    MLP,
    NORM,
    VISION,
    ADAPTER,
    HEAD,
    OTHER;

    private static final List<String> ADAPTERS = List.of("lora_", "adapter", "modules_to_save");
    private static final List<String> VISIONS = List.of("visual", "vision", "image", "patch_embed", "mm_projector");
    private static final List<String> NORMS = List.of("norm", "ln_", "layernorm");
    private static final List<String> HEADS =
            List.of("lm_head", "v_head", "value_head", "score", "output_layer", "classifier", "summary", "embed_out");
    private static final List<String> EMBEDDINGS = List.of("embed", "wte", "wpe");
    private static final List<String> ATTENTIONS = List.of("attn", "attention");
    private static final List<String> MLPS = List.of("mlp", "feed_forward", "ffn", "expert", "moe", "gate", "router");

    /// The part that `name` belongs to: what wraps comes before what is wrapped, so that a norm in a vision
    /// tower is of the tower, and a norm in an attention is a norm.
    public static Part of(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        if (has(lower, ADAPTERS)) {
            return ADAPTER;
        }
        if (has(lower, VISIONS)) {
            return VISION;
        }
        if (has(lower, NORMS)) {
            return NORM;
        }
        if (has(lower, HEADS)) {
            return HEAD;
        }
        if (has(lower, EMBEDDINGS)) {
            return EMBEDDING;
        }
        if (has(lower, ATTENTIONS)) {
            return ATTENTION;
        }
        return has(lower, MLPS) ? MLP : OTHER;
    }

    private static boolean has(String name, List<String> words) {
        return words.stream().anyMatch(name::contains);
    }
}
