package dev.kintsugi.checkpoint.megatron;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A tensor name with holes: `{layer}` and `{expert}` stand for a number, `{any}` for one character or more.
final class NamePattern {
    private static final List<String> HOLES = List.of("layer", "expert", "any");
    private static final int MAX_DIGITS = 9;

    private final Pattern pattern;
    private final List<String> holes;

    NamePattern(String template) {
        String regex = Pattern.quote(template)
                .replace("{layer}", "\\E(?<layer>\\d{1," + MAX_DIGITS + "})\\Q")
                .replace("{expert}", "\\E(?<expert>\\d{1," + MAX_DIGITS + "})\\Q")
                .replace("{any}", "\\E(?<any>.+)\\Q");
        this.pattern = Pattern.compile(regex);
        this.holes =
                HOLES.stream().filter(h -> template.contains("{" + h + "}")).toList();
    }

    boolean has(String hole) {
        return holes.contains(hole);
    }

    /// What fills the holes if `name` fits.
    Optional<Map<String, String>> match(String name) {
        Matcher matcher = pattern.matcher(name);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        Map<String, String> values = new LinkedHashMap<>();
        for (String hole : holes) {
            values.put(hole, matcher.group(hole));
        }
        return Optional.of(values);
    }

    /// `template` with its holes filled.
    static String fill(String template, Map<String, String> values) {
        String filled = template;
        for (Map.Entry<String, String> value : values.entrySet()) {
            filled = filled.replace("{" + value.getKey() + "}", value.getValue());
        }
        return filled;
    }
}
