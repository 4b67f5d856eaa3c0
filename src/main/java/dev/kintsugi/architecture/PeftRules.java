package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;

/// How a configuration of peft picks modules by their names, such as `model.layers.0.self_attn.q_proj`.
///
/// **Source.** peft 0.21, `check_target_module_exists`, `get_pattern_key`, `_set_trainable`.
final class PeftRules {
    /// What makes an adapter another product than `W + scale · B·A`.
    private static final List<String> NOT_PLAIN = List.of(
            "use_dora",
            "fan_in_fan_out",
            "use_qalora",
            "use_bdlora",
            "alora_invocation_tokens",
            "arrow_config",
            "kasa_config",
            "layer_replication",
            "monteclora_config");

    /// A pattern that looks at a name's characters more often than this does not end.
    private static final int MAX_LOOKS = 1_000_000;

    private static final Pattern LAYER = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\..*");

    private final JsonNode config;

    PeftRules(JsonNode config) {
        this.config = config;
    }

    boolean flag(String key) {
        return config.path(key).asBoolean(false);
    }

    boolean isSet(String key) {
        return !isUnset(config.path(key));
    }

    Optional<String> text(String key) {
        return Optional.of(config.path(key)).filter(JsonNode::isString).map(JsonNode::asString);
    }

    /// The first key that is set and rules out a plain product.
    Optional<String> firstNotPlain() {
        return NOT_PLAIN.stream().filter(this::isSet).findFirst();
    }

    private static boolean isUnset(JsonNode value) {
        return value.isMissingNode()
                || value.isNull()
                || (value.isBoolean() && !value.asBoolean())
                || (value.isContainer() && value.isEmpty());
    }

    /// The value of the first entry of the object `key` whose pattern fits the end of `module`.
    Optional<JsonNode> pattern(String key, String module) {
        for (Map.Entry<String, JsonNode> entry : config.path(key).properties()) {
            if (matches("(.*\\.)?(" + entry.getKey() + ")", module)) {
                return Optional.of(entry.getValue());
            }
        }
        return Optional.empty();
    }

    /// The rank that the configuration gives a module.
    long rank(String module) {
        return pattern("rank_pattern", module).orElse(config.path("r")).asLong(0);
    }

    /// Whether the configuration adapts `module`.
    boolean adapts(String module) {
        return !fits(config.path("exclude_modules"), module)
                && !replaces(module)
                && fits(config.path("target_modules"), module)
                && (!config.path("target_modules").isArray() || inLayers(module));
    }

    /// Whether the configuration trains `module` whole.
    boolean replaces(String module) {
        return texts(config.path("modules_to_save")).stream().anyMatch(module::endsWith);
    }

    /// A pattern for the whole name, or a list of names and ends of names.
    private static boolean fits(JsonNode value, String module) {
        if (value.isString()) {
            return matches(value.asString(), module);
        }
        return texts(value).stream().anyMatch(end -> module.equals(end) || module.endsWith("." + end));
    }

    private boolean inLayers(String module) {
        JsonNode layers = config.path("layers_to_transform");
        if (isUnset(layers)) {
            return true;
        }
        List<String> stacks = config.path("layers_pattern").isString()
                ? List.of(config.path("layers_pattern").asString())
                : texts(config.path("layers_pattern"));
        Optional<Long> layer = stacks.isEmpty()
                ? number(LAYER, module)
                : stacks.stream()
                        .flatMap(stack ->
                                number(compiled("(?:|.*?\\.)(?:" + stack + ")\\.(\\d+)\\..*"), module).stream())
                        .findFirst();
        return layer.isPresent()
                && (layers.isArray()
                        ? StreamSupport.stream(layers.spliterator(), false).anyMatch(n -> n.asLong(-1) == layer.get())
                        : layers.asLong(-1) == layer.get());
    }

    private static Optional<Long> number(Pattern pattern, String module) {
        var matcher = pattern.matcher(new Bounded(module, new int[1]));
        return matcher.matches() && matcher.group(1).length() < 10
                ? Optional.of(Long.parseLong(matcher.group(1)))
                : Optional.empty();
    }

    private static List<String> texts(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .filter(JsonNode::isString)
                .map(JsonNode::asString)
                .toList();
    }

    private static boolean matches(String pattern, String module) {
        return compiled(pattern).matcher(new Bounded(module, new int[1])).matches();
    }

    private static Pattern compiled(String pattern) {
        try {
            return Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            throw unusable(pattern, e.getDescription());
        }
    }

    private static Fault unusable(String pattern, String why) {
        return new Fault(
                Code.K2305,
                "adapter_config.json: no usable pattern: " + pattern,
                why,
                "mend the file, or move it away");
    }

    /// A name that lets itself be looked at only so often: patterns of a file may take for ever.
    @SuppressWarnings("ArrayRecordComponent")
    private record Bounded(CharSequence text, int[] looks) implements CharSequence {
        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (++looks[0] > MAX_LOOKS) {
                throw unusable("one of them", "it does not come to an end");
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.subSequence(start, end);
        }

        @Override
        public String toString() {
            return text.toString();
        }
    }
}
