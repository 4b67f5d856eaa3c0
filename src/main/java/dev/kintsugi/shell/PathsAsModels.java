package dev.kintsugi.shell;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Lets a command that the program runs alone be given a path where it takes a model, or a rank of it: `kintsugi
/// stats runs/actor`, `kintsugi diff runs/actor@0 runs/actor@4`.
final class PathsAsModels {
    private PathsAsModels() {}

    /// `words` with each such path opened and replaced by the model's name. **Errors.** [Fault] as `open`
    /// gives.
    static List<String> open(Shell shell, List<String> words) {
        Optional<Verb> verb = shell.dispatcher().find(words.getFirst());
        if (verb.isEmpty()) {
            return words;
        }
        List<String> replaced = new ArrayList<>(words);
        Map<String, String> opened = new HashMap<>();
        int position = 0;
        for (int i = 1; i < words.size(); i++) {
            String word = words.get(i);
            if (word.startsWith("-")) {
                i += takesNext(verb.get(), word) ? 1 : 0;
                continue;
            }
            String rank = rankOf(word);
            String path = word.substring(0, word.length() - rank.length());
            if (takesModel(verb.get(), position)
                    && isPath(path)
                    && !shell.session().names(word)) {
                boolean again = !rank.isEmpty() && opened.containsKey(path);
                String name = again ? opened.getOrDefault(path, path) : opened(shell, path);
                opened.put(path, name);
                replaced.set(i, name + rank);
            }
            position++;
        }
        return replaced;
    }

    /// The `@3` or `@*` of a rank view of a path; empty where the whole word is one.
    private static String rankOf(String word) {
        return isPath(word)
                ? ""
                : RankView.Reference.parse(word)
                        .map(r -> word.substring(r.model().length()))
                        .orElse("");
    }

    private static boolean takesNext(Verb verb, String option) {
        return !option.contains("=")
                && option.startsWith("--")
                && Binder.find(verb, Binder.normal(option.substring(2)))
                        .filter(o -> !o.isFlag())
                        .isPresent();
    }

    private static boolean takesModel(Verb verb, int position) {
        List<Parameter> parameters = verb.parameters();
        if (parameters.isEmpty()
                || position >= parameters.size() && !parameters.getLast().repeated()) {
            return false;
        }
        Parameter parameter = parameters.get(Math.min(position, parameters.size() - 1));
        return parameter.kind() == ValueKind.MODEL
                || parameter.kind() == ValueKind.CODE
                || parameter.name().equals("MODEL");
    }

    private static boolean isPath(String word) {
        try {
            return Files.exists(Opening.path(word));
        } catch (InvalidPathException e) {
            return false;
        }
    }

    private static String opened(Shell shell, String word) {
        Session session = shell.session();
        Path path = Opening.path(word);
        String name = session.freeName(Opening.nameOf(path));
        Status status = session.console().withoutResults(() -> shell.runWords(List.of("open", word, "--as", name)));
        if (status != Status.DONE) {
            throw new Stopped(status);
        }
        return name;
    }

    /// The path could not be opened, and that has been said.
    static final class Stopped extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final Status status;

        Stopped(Status status) {
            super(null, null, false, false);
            this.status = status;
        }

        Status status() {
            return status;
        }
    }
}
