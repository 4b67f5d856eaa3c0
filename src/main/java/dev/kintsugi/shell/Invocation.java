package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A verb with its words bound.
record Invocation(List<String> words, Map<String, List<String>> options, Session session) {
    Console console() {
        return session.console();
    }

    /// The positional word at `index`.
    String word(int index) {
        return words.get(index);
    }

    boolean has(String option) {
        return options.containsKey(option);
    }

    Optional<String> value(String option) {
        List<String> values = options.getOrDefault(option, List.of());
        return values.isEmpty() ? Optional.empty() : Optional.of(values.getLast());
    }

    List<String> values(String option) {
        return options.getOrDefault(option, List.of());
    }

    /// A whole number of `low` at least.
    Optional<Long> number(String option, long low) {
        return value(option).map(text -> {
            try {
                long number = Long.parseLong(text);
                if (number >= low) {
                    return number;
                }
            } catch (NumberFormatException e) {
                throw notNumber(option, text, low, e);
            }
            throw notNumber(option, text, low, null);
        });
    }

    private static Fault notNumber(String option, String text, long low, @Nullable Throwable cause) {
        return new Fault(
                Code.K1003,
                "--" + option + " " + text + ": not a whole number of " + low + " or more",
                "the option takes a number",
                "give one, as in --" + option + " " + Math.max(low, 4),
                cause);
    }
}
