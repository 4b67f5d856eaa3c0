package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Binds the words after a verb's name to its parameters and options.
final class Binder {
    /// Words and options of a call.
    record Bound(List<String> words, Map<String, List<String>> options) {}

    private Binder() {}

    /// **Errors.** [Fault] `K1002` for an unknown option, `K1003` where a value is missing, wrong or too many.
    static Bound bind(Verb verb, List<Tokenizer.Word> words) {
        List<String> positional = new ArrayList<>();
        Map<String, List<String>> options = new LinkedHashMap<>();
        boolean onlyWords = false;
        for (int i = 0; i < words.size(); i++) {
            Tokenizer.Word word = words.get(i);
            String text = word.text();
            boolean option = !onlyWords && !word.quoted() && text.startsWith("--") && text.length() > 2;
            if (!onlyWords && text.equals("--")) {
                onlyWords = true;
            } else if (!onlyWords && text.equals("-h")) {
                options.put("help", List.of(""));
            } else if (option) {
                int equals = text.indexOf('=');
                String name = normal(equals < 0 ? text.substring(2) : text.substring(2, equals));
                OptionSpec spec = find(verb, name).orElseThrow(() -> unknown(verb, text));
                String value = "";
                if (spec.isFlag() && equals >= 0) {
                    throw new Fault(
                            Code.K1003,
                            text + ": the option takes no value",
                            "it is a switch",
                            "write --" + spec.name());
                }
                if (!spec.isFlag() && equals >= 0) {
                    value = text.substring(equals + 1);
                } else if (!spec.isFlag()) {
                    i++;
                    if (i >= words.size()) {
                        throw new Fault(
                                Code.K1003,
                                "--" + spec.name() + " needs a value",
                                "nothing follows it",
                                "write --" + spec.name() + " " + spec.value());
                    }
                    value = words.get(i).text();
                }
                add(options, spec, value);
            } else {
                positional.add(text);
            }
        }
        if (!options.containsKey("help")) {
            checkCount(verb, positional);
        }
        return new Bound(positional, options);
    }

    private static void add(Map<String, List<String>> options, OptionSpec spec, String value) {
        if (!spec.choices().isEmpty() && spec.choices().stream().noneMatch(c -> c.equalsIgnoreCase(value))) {
            List<String> near = Nearest.to(value, spec.choices(), 1);
            throw new Fault(
                    Code.K1003,
                    "--" + spec.name() + " " + value + ": no such value",
                    "values are " + String.join(", ", spec.choices()),
                    near.isEmpty()
                            ? "give one of them"
                            : "did you mean --" + spec.name() + " " + near.getFirst() + "?");
        }
        List<String> values = options.computeIfAbsent(spec.name(), n -> new ArrayList<>());
        if (!values.isEmpty() && !spec.many() && !spec.isFlag()) {
            throw new Fault(
                    Code.K1003, "--" + spec.name() + " is given twice", "it takes one value", "leave one of them out");
        }
        values.add(value);
    }

    static String normal(String option) {
        return option.replace('_', '-');
    }

    static Optional<OptionSpec> find(Verb verb, String name) {
        return verb.options().stream()
                .filter(o -> normal(o.name()).equals(name))
                .findFirst();
    }

    private static Fault unknown(Verb verb, String text) {
        List<String> names = verb.options().stream().map(o -> "--" + o.name()).toList();
        List<String> near = near(text.replaceFirst("=.*", ""), names);
        return new Fault(
                Code.K1002,
                verb.getName() + " has no option " + text.replaceFirst("=.*", ""),
                near.isEmpty()
                        ? "its options are " + String.join(" ", names)
                        : "close to it: " + String.join(" ", near),
                near.isEmpty() ? "see: help " + verb.getName() : "did you mean " + near.getFirst() + "?");
    }

    /// Names like `typed`, or else whose first word is.
    private static List<String> near(String typed, List<String> names) {
        List<String> near = Nearest.to(typed, names, 3);
        return near.isEmpty()
                ? names.stream()
                        .filter(n -> !Nearest.to(typed, List.of(n.replaceFirst("(?<=\\w)[-_].*", "")), 1)
                                .isEmpty())
                        .limit(3)
                        .toList()
                : near;
    }

    private static void checkCount(Verb verb, List<String> words) {
        List<Parameter> parameters = verb.parameters();
        List<Parameter> required =
                parameters.stream().filter(p -> !p.optional()).toList();
        boolean open = !parameters.isEmpty() && parameters.getLast().repeated();
        if (words.size() < required.size()) {
            throw new Fault(
                    Code.K1003,
                    verb.getName() + " needs " + required.get(words.size()).name(),
                    "usage: " + HelpText.usage(verb),
                    "for example: " + verb.example().lines().findFirst().orElse(""));
        }
        if (!open && words.size() > parameters.size()) {
            throw new Fault(
                    Code.K1003,
                    verb.getName() + " takes no " + words.get(parameters.size()),
                    "usage: " + HelpText.usage(verb),
                    "put quotes around a value with blanks");
        }
    }
}
