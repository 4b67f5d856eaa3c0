package dev.kintsugi.shell;

import dev.kintsugi.architecture.Config;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// What `config.json` says of the layers and tokens of a merge that has others than the model it is taken from.
///
/// @param face the model whose `config.json` it is
/// @param layerSources of which layer of that model each layer of the merge is made; empty where layers stay
record LayerEdits(Model face, List<Integer> layerSources, StateDict tensors) {
    private static final Pattern LAYER = Pattern.compile(".*\\.layers\\.(\\d{1,6})\\..*");

    LayerEdits {
        layerSources = List.copyOf(layerSources);
    }

    /// The keys that hold no longer, with their new values as JSON.
    Map<String, String> edits() {
        Map<String, String> edits = new LinkedHashMap<>();
        Optional<Config> config = face.hub().config();
        if (config.isEmpty() || config.get().find("text_config").isPresent()) {
            return edits;
        }
        int layers = layers();
        Optional<Long> said = config.get().integer("num_hidden_layers");
        if (layers > 0 && said.filter(n -> n != layers).isPresent()) {
            edits.put("num_hidden_layers", Integer.toString(layers));
        }
        said.ifPresent(count -> perLayer(config.get().root(), count, edits));
        Optional<Long> rows = tensors.find("model.embed_tokens.weight")
                .map(Tensor::spec)
                .filter(s -> s.shape().ndim() == 2)
                .map(s -> s.shape().dim(0));
        if (rows.isPresent()
                && config.get()
                        .integer("vocab_size")
                        .filter(n -> !n.equals(rows.get()))
                        .isPresent()) {
            edits.put("vocab_size", Long.toString(rows.get()));
        }
        return edits;
    }

    private int layers() {
        int layers = 0;
        for (String name : tensors.names()) {
            Matcher matcher = LAYER.matcher(name);
            if (matcher.matches()) {
                layers = Math.max(layers, Integer.parseInt(matcher.group(1)) + 1);
            }
        }
        return layers;
    }

    /// Lists with an entry for each layer, such as `layer_types`: each layer keeps that of the layer it is
    /// made of.
    private void perLayer(JsonNode config, long count, Map<String, String> edits) {
        boolean stays = true;
        for (int i = 0; i < layerSources.size(); i++) {
            stays &= layerSources.get(i) == i;
        }
        if (layerSources.isEmpty() || stays && layerSources.size() == count) {
            return;
        }
        config.properties().forEach(entry -> {
            JsonNode list = entry.getValue();
            boolean each = entry.getKey().contains("layer") && list.isArray() && list.size() == count;
            if (!each || layerSources.stream().anyMatch(layer -> layer >= count)) {
                return;
            }
            List<String> values = new ArrayList<>();
            layerSources.forEach(layer -> values.add("    " + list.get(layer)));
            edits.put(entry.getKey(), "[\n" + String.join(",\n", values) + "\n  ]");
        });
    }
}
