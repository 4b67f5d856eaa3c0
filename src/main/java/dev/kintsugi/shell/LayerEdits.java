package dev.kintsugi.shell;

import dev.kintsugi.architecture.Config;
import dev.kintsugi.fusion.MergePlan;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// What `config.json` says of the layers and tokens of a merge that has others than the model it is taken from.
///
/// @param face the model whose `config.json` it is
/// @param layerSources of which layer of that model each layer of the merge is made; empty where layers stay
record LayerEdits(Model face, List<Integer> layerSources, StateDict tensors) {
    private static final String TEXT = "text_config.";

    /// Lists of layers by number.
    private static final Set<String> NUMBERED =
            Set.of("mlp_only_layers", "cross_attention_layers", "attn_layer_indices", "full_attn_idxs");

    /// Lists with an entry for each layer whose names do not say so.
    private static final Set<String> PER_LAYER = Set.of(
            "activation_sparsity_pattern",
            "block_types",
            "ffn_multipliers",
            "intermediate_size",
            "num_attention_heads",
            "num_key_value_heads",
            "num_query_heads");

    LayerEdits {
        layerSources = List.copyOf(layerSources);
    }

    /// The keys that hold no longer, with their new values as JSON. A key of the language model within a larger
    /// one begins with `text_config.`.
    Map<String, String> edits() {
        Map<String, String> edits = new LinkedHashMap<>();
        Optional<Config> config = face.hub().config();
        if (config.isEmpty()) {
            return edits;
        }
        long rows = MergePlan.embeddingRows(tensors);
        for (String within : List.of("", TEXT)) {
            JsonNode part =
                    within.isEmpty() ? config.get().root() : config.get().root().path("text_config");
            JsonNode layers = part.path("num_hidden_layers");
            if (layers.isIntegralNumber() && !layerSources.isEmpty()) {
                perLayer(part, layers.asLong(), within, edits);
                if (layers.asLong() != layerSources.size()) {
                    edits.put(within + "num_hidden_layers", Integer.toString(layerSources.size()));
                }
            }
            JsonNode vocabulary = part.path("vocab_size");
            if (rows > 0 && vocabulary.isIntegralNumber() && vocabulary.asLong() != rows) {
                edits.put(within + "vocab_size", Long.toString(rows));
            }
        }
        return edits;
    }

    /// Lists with an entry for each layer, such as `layer_types`: each layer keeps that of the layer it is made
    /// of. Lists of layers by number, such as `mlp_only_layers`: those made of one that was in it.
    private void perLayer(JsonNode config, long count, String within, Map<String, String> edits) {
        boolean stays = layerSources.size() == count;
        for (int i = 0; i < layerSources.size(); i++) {
            stays &= layerSources.get(i) == i;
        }
        if (stays || layerSources.stream().anyMatch(layer -> layer >= count)) {
            return;
        }
        config.properties().forEach(entry -> {
            JsonNode list = entry.getValue();
            if (NUMBERED.contains(entry.getKey()) && list.isArray() && !list.isEmpty()) {
                List<String> values = new ArrayList<>();
                for (int i = 0; i < layerSources.size(); i++) {
                    if (holds(list, layerSources.get(i))) {
                        values.add(Integer.toString(i));
                    }
                }
                edits.put(within + entry.getKey(), list(values, within));
            } else if ((entry.getKey().contains("layer") || PER_LAYER.contains(entry.getKey()))
                    && list.isArray()
                    && list.size() == count) {
                edits.put(
                        within + entry.getKey(),
                        list(
                                layerSources.stream()
                                        .map(layer -> list.get(layer).toString())
                                        .toList(),
                                within));
            }
        });
    }

    private static boolean holds(JsonNode numbers, int layer) {
        for (JsonNode number : numbers) {
            if (number.asInt(-1) == layer) {
                return true;
            }
        }
        return false;
    }

    private static String list(List<String> values, String within) {
        String indent = within.isEmpty() ? "  " : "    ";
        return values.isEmpty()
                ? "[]"
                : "[\n" + indent + "  " + String.join(",\n" + indent + "  ", values) + "\n" + indent + "]";
    }
}
