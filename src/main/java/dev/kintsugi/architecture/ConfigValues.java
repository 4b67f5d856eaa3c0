package dev.kintsugi.architecture;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// The keys of a `config.json`, completed by a family's defaults and the indices of a name.
final class ConfigValues implements Expression.Values {
    private final Config config;
    private final Map<String, String> defaults;
    private final Map<String, Long> indices = new LinkedHashMap<>();
    private final Map<String, Long> constants = new HashMap<>();
    private boolean indexed;

    ConfigValues(Config config, Map<String, String> defaults) {
        this.config = config;
        this.defaults = defaults;
    }

    /// The same with `name` standing for `value`, whatever else says so.
    void index(String name, long value) {
        indices.put(name, value);
    }

    /// The value of `expression`, worked out once where no index is in it. **Errors.** As [Expression#evaluate].
    long evaluate(String expression) {
        Long constant = constants.get(expression);
        if (constant != null) {
            return constant;
        }
        boolean before = indexed;
        indexed = false;
        long value = Expression.evaluate(expression, this);
        if (!indexed) {
            constants.put(expression, value);
        }
        indexed |= before;
        return value;
    }

    @Override
    public long integer(String key) {
        Long index = indices.get(key);
        if (index != null) {
            indexed = true;
            return index;
        }
        Optional<JsonNode> node = config.find(key);
        if (node.isPresent() && node.get().isIntegralNumber()) {
            return node.get().asLong();
        }
        if (node.isPresent() && node.get().isBoolean()) {
            return node.get().asBoolean() ? 1 : 0;
        }
        String fallback = defaults.get(key);
        if (fallback == null) {
            throw new IllegalArgumentException("config.json has no number " + key);
        }
        return evaluate(fallback);
    }

    @Override
    public boolean contains(String key, long value) {
        Optional<JsonNode> node = config.find(key);
        if (node.isEmpty()) {
            return false;
        }
        for (JsonNode element : node.get()) {
            if (element.isIntegralNumber() && element.asLong() == value) {
                return true;
            }
        }
        return false;
    }

    @Override
    public long size(String key) {
        return config.find(key).map(JsonNode::size).orElse(0);
    }
}
