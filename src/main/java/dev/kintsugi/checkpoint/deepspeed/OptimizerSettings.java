package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.PickledJson;
import dev.kintsugi.checkpoint.deepspeed.OptimizerOpening.Settings;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.torch.Pickled;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What an optimizer has besides tensors, as JSON.
final class OptimizerSettings {
    private static final List<String> ENGINE_FIELDS =
            List.of("lr_scheduler", "global_steps", "global_samples", "skipped_steps", "ds_version", "ds_config");

    private OptimizerSettings() {}

    static JsonNode of(ModelStates model, Optional<Settings> settings) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        settings.ifPresent(s -> json.set("param_groups", groups(s)));
        PickledJson convert = new PickledJson(model.reader());
        for (String field : ENGINE_FIELDS) {
            Pickled.field(model.root(), field).ifPresent(v -> json.set(field, convert.of(v)));
        }
        return json;
    }

    /// The groups, their numbered members replaced by the names that each number stands for, where all are
    /// known.
    private static ArrayNode groups(Settings settings) {
        PickledJson convert = new PickledJson(settings.reader());
        ArrayNode groups = JsonNodeFactory.instance.arrayNode();
        List<PickleValue> items = Pickled.field(settings.optimizer(), "param_groups")
                .map(g -> Pickled.items(g, "param_groups"))
                .orElseGet(List::of);
        for (int i = 0; i < items.size(); i++) {
            Dict group = Pickled.entries(items.get(i), "a group of parameters");
            ObjectNode node = JsonNodeFactory.instance.objectNode();
            for (int k = 0; k < group.size(); k++) {
                String key = Pickled.text(group.keys().get(k), "a setting's name");
                node.set(key, convert.of(group.values().get(k)));
            }
            names(settings, node.path("params")).ifPresent(names -> node.set("params", names));
            groups.add(node);
        }
        return groups;
    }

    private static Optional<ArrayNode> names(Settings settings, JsonNode numbers) {
        ArrayNode names = JsonNodeFactory.instance.arrayNode();
        for (JsonNode number : numbers) {
            int index = number.asInt(-1);
            if (index < 0 || index >= settings.members().size()) {
                return Optional.empty();
            }
            settings.members().get(index).forEach(names::add);
        }
        return Optional.of(names);
    }
}
