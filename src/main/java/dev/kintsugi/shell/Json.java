package dev.kintsugi.shell;

import dev.kintsugi.io.ForeignJson;
import dev.kintsugi.tensor.Shape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.NullNode;

/// Plain values as JSON.
final class Json {
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private Json() {}

    /// A tree of [Map], [List], [String], [Shape], numbers and booleans, indented. Infinities and NaN become strings,
    /// an
    /// empty [Optional] null.
    static String write(Map<String, Object> root) {
        return MAPPER.writeValueAsString(safe(root));
    }

    /// The same in one line.
    static String line(Map<String, Object> root) {
        return JsonMapper.shared().writeValueAsString(safe(root));
    }

    /// **Errors.** [IllegalArgumentException] if `text` is no JSON object.
    static Map<String, Object> read(String text) {
        try {
            JsonNode tree = ForeignJson.tree(text);
            if (!tree.isObject()) {
                throw new IllegalArgumentException("it is no JSON object");
            }
            return JsonMapper.shared().convertValue(tree, new TypeReference<Map<String, Object>>() {});
        } catch (JacksonException e) {
            throw new IllegalArgumentException("it is no JSON object: " + e.getOriginalMessage(), e);
        }
    }

    private static Object safe(Object value) {
        return switch (value) {
            case Map<?, ?> map -> {
                Map<String, Object> copy = new LinkedHashMap<>();
                map.forEach((k, v) -> copy.put(String.valueOf(k), safe(v)));
                yield copy;
            }
            case Shape shape -> Arrays.stream(shape.toArray()).boxed().toList();
            case List<?> list -> list.stream().map(Json::safe).toList();
            case Optional<?> optional -> optional.isPresent() ? safe(optional.get()) : NullNode.getInstance();
            case Double d when d.isNaN() || d.isInfinite() -> d.toString();
            default -> value;
        };
    }
}
