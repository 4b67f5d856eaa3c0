package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.PickledJson;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.TorchReader;
import java.util.Collection;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What an optimizer has besides tensors, as JSON: `param_groups` of all parts, loss scalers, scheduler,
/// iteration.
final class OptimizerSettings {
    private static final List<String> JOB_FIELDS = List.of("opt_param_scheduler", "lr_scheduler", "iteration");

    private OptimizerSettings() {}

    /// Of `parts`, which lie in `root`; `members` are the names of each group's parameters, in the order of the
    /// groups, or nothing where they are not known.
    static JsonNode of(
            Dict root, List<OptimizerPart> parts, TorchReader reader, List<? extends Collection<String>> members) {
        PickledJson convert = new PickledJson(reader);
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode groups = json.putArray("param_groups");
        for (Dict group : parts.stream().flatMap(p -> p.groups().stream()).toList()) {
            if (convert.of(group) instanceof ObjectNode node) {
                if (groups.size() < members.size()) {
                    ArrayNode names = node.putArray("params");
                    members.get(groups.size()).forEach(names::add);
                }
                groups.add(node);
            }
        }
        List<JsonNode> scalers = parts.stream()
                .flatMap(p -> Pickled.field(p.outer(), "grad_scaler").stream())
                .map(convert::of)
                .toList();
        if (!scalers.isEmpty()) {
            json.set("grad_scaler", scalers.getFirst());
        }
        for (String field : JOB_FIELDS) {
            Pickled.field(root, field).ifPresent(v -> json.set(field, convert.of(v)));
        }
        return json;
    }
}
