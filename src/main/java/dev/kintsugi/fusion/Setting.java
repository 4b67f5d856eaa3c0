package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/// The value of an option: one number or word for all tensors, a gradient over the layers, or a value per
/// tensor name.
///
/// **Source.** The parameters of mergekit configurations, `mergekit/config.py`, `evaluate_setting`.
public sealed interface Setting {
    /// One number. Flags are 1 and 0.
    record Number(double value) implements Setting {}

    /// One word, as in `granularity=row`.
    record Text(String value) implements Setting {}

    /// Numbers spread evenly from the first layer to the last, interpolated linearly between.
    record Gradient(List<Double> values) implements Setting {
        public Gradient {
            values = List.copyOf(values);
            if (values.isEmpty()) {
                throw new IllegalArgumentException("a gradient needs a number");
            }
        }

        double at(double position) {
            double place = position * (values.size() - 1);
            int left = Math.clamp((long) Math.floor(place), 0, values.size() - 1);
            int right = Math.min(left + 1, values.size() - 1);
            double share = place - left;
            return (1 - share) * values.get(left) + share * values.get(right);
        }
    }

    /// The value of the first rule that matches the tensor's name; no value where none does.
    record Filtered(List<Rule> rules) implements Setting {
        public Filtered {
            rules = List.copyOf(rules);
        }
    }

    /// A value for the tensors whose name `matches`; `label` is how it was written.
    record Rule(String label, Predicate<String> matches, Setting value) {
        /// The rule of a mergekit filter: a substring of the name, or `*`.
        public static Rule ofSubstring(String filter, Setting value) {
            return new Rule(filter, name -> filter.equals("*") || name.contains(filter), value);
        }
    }

    /// The number or word for the tensor `name`, `position` being 0 at the first layer and 1 at the last.
    default Optional<Setting> at(String name, double position) {
        return switch (this) {
            case Number number -> Optional.of(number);
            case Text text -> Optional.of(text);
            case Gradient gradient -> Optional.of(new Number(gradient.at(position)));
            case Filtered filtered ->
                filtered.rules().stream()
                        .filter(r -> r.matches().test(name))
                        .findFirst()
                        .flatMap(r -> r.value().at(name, position));
        };
    }

    static Setting of(double value) {
        return new Number(value);
    }

    static Setting of(boolean value) {
        return new Number(value ? 1 : 0);
    }

    static Setting gradient(double... values) {
        List<Double> list = new ArrayList<>();
        for (double value : values) {
            list.add(value);
        }
        return new Gradient(list);
    }

    /// The setting a person means by `text`: `0.5`, `inf`, `true`, `0.2..0.8`, `[0, 0.5, 1]`, else a word.
    ///
    /// **Errors.** [Fault] `K7002` if a gradient holds something that is no number.
    static Setting parse(String text) {
        String trimmed = text.strip();
        if (trimmed.startsWith("[") && trimmed.endsWith("]")) {
            return gradientOf(text, trimmed.substring(1, trimmed.length() - 1).split(",", -1));
        }
        if (trimmed.contains("..")) {
            return gradientOf(text, trimmed.split("\\.\\.", -1));
        }
        Optional<Double> number = number(trimmed);
        return number.<Setting>map(Number::new).orElseGet(() -> new Text(trimmed));
    }

    private static Setting gradientOf(String text, String[] parts) {
        List<Double> values = new ArrayList<>();
        for (String part : parts) {
            values.add(number(part.strip())
                    .orElseThrow(() -> new Fault(
                            Code.K7002,
                            "'" + text + "' is no list of numbers",
                            "'" + part.strip() + "' is no number",
                            "write numbers from the first layer to the last, such as 0.2..0.8")));
        }
        return new Gradient(values);
    }

    /// The number spelled `text`, with `inf`, `true` and `false`.
    private static Optional<Double> number(String text) {
        switch (text.toLowerCase(Locale.ROOT)) {
            case "true", "yes", "on":
                return Optional.of(1.0);
            case "false", "no", "off":
                return Optional.of(0.0);
            case "inf", "infinity", ".inf":
                return Optional.of(Double.POSITIVE_INFINITY);
            default:
                break;
        }
        if (text.isEmpty() || !"+-.0123456789".contains(text.substring(0, 1)) || text.matches(".*[dDfFxX].*")) {
            return Optional.empty();
        }
        try {
            return Optional.of(Double.parseDouble(text));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }
}
