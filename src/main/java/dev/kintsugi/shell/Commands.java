package dev.kintsugi.shell;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// Commands as they are kept: with paths that mean the same from every directory.
final class Commands {
    private final Dispatcher dispatcher;

    Commands(Dispatcher dispatcher) {
        this.dispatcher = dispatcher;
    }

    /// `line` with every path in it made absolute, as the verbs' parameters and options tell which words are
    /// paths.
    String absolute(String line) {
        return Tokenizer.typed(line).commands().stream().map(this::absolute).collect(Collectors.joining("; "));
    }

    private String absolute(List<Tokenizer.Word> words) {
        Optional<Verb> verb = dispatcher.find(words.getFirst().text());
        List<String> out = new ArrayList<>(List.of(words.getFirst().text()));
        int position = 0;
        Optional<OptionSpec> awaiting = Optional.empty();
        for (Tokenizer.Word word : words.subList(1, words.size())) {
            String text = word.text();
            boolean option = awaiting.isEmpty() && !word.quoted() && text.startsWith("--");
            if (awaiting.isPresent()) {
                out.add(path(text, awaiting.get().kind()));
                awaiting = Optional.empty();
            } else if (option && text.contains("=")) {
                int equals = text.indexOf('=');
                ValueKind kind = option(verb, text.substring(2, equals))
                        .map(OptionSpec::kind)
                        .orElse(ValueKind.TEXT);
                out.add(text.substring(0, equals + 1) + path(text.substring(equals + 1), kind));
            } else if (option) {
                awaiting = option(verb, text.substring(2)).filter(o -> !o.isFlag());
                out.add(text);
            } else {
                out.add(path(text, kind(verb, position)));
                position++;
            }
        }
        return String.join(" ", out.stream().map(Tokenizer::quote).toList());
    }

    private static Optional<OptionSpec> option(Optional<Verb> verb, String name) {
        return verb.flatMap(v -> Binder.find(v, Binder.normal(name)));
    }

    private static ValueKind kind(Optional<Verb> verb, int position) {
        List<Parameter> parameters = verb.map(Verb::parameters).orElse(List.of());
        return parameters.isEmpty()
                ? ValueKind.TEXT
                : parameters.get(Math.min(position, parameters.size() - 1)).kind();
    }

    private static String path(String text, ValueKind kind) {
        return switch (kind) {
            case PATH, DIRECTORY, RECIPE -> absolute(Opening.path(text)).toString();
            case MODEL, SELECTOR, TENSOR, COMMAND, CODE, METHOD, FORMAT, TEXT -> text;
        };
    }

    /// Without `..` where that names the same file; a link may make it another.
    static Path absolute(Path path) {
        Path absolute = path.toAbsolutePath();
        Path plain = absolute.normalize();
        try {
            return Files.isSameFile(absolute, plain) ? plain : absolute;
        } catch (IOException e) {
            return absolute;
        }
    }
}
