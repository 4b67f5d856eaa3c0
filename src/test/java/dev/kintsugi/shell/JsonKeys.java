package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The keys of JSON with the types of their values: `tensors[].min number null`.
final class JsonKeys {
    private final Map<String, TreeSet<String>> types = new LinkedHashMap<>();

    private JsonKeys() {}

    static List<String> of(String json) {
        JsonNode root = JsonMapper.shared().readTree(json);
        JsonKeys keys = new JsonKeys();
        keys.add("", root);
        List<String> lines = new ArrayList<>();
        lines.add("schema " + root.path("schema").asString());
        keys.types.forEach((key, type) -> lines.add(key + " " + String.join(" ", type)));
        return lines;
    }

    private void add(String path, JsonNode node) {
        if (!path.isEmpty() && !path.equals("schema")) {
            types.computeIfAbsent(path, p -> new TreeSet<>())
                    .add(node.getNodeType().name().toLowerCase(Locale.ROOT));
        }
        if (node.isObject()) {
            node.forEachEntry((key, value) -> add(path.isEmpty() ? key : path + "." + key, value));
        } else if (node.isArray()) {
            node.forEach(item -> add(path + "[]", item));
        }
    }
}
