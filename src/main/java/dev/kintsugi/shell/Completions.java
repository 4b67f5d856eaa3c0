package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Methods;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.WeakHashMap;
import java.util.stream.Stream;

/// What a word can become: verbs, options, their values, paths, models, tensor names segment by segment.
///
/// Tensor names are kept sorted for each model that was asked for.
final class Completions {
    static final int MAX_PROPOSALS = 500;

    private final Session session;
    private final Map<Model, TensorNames> names = new WeakHashMap<>();

    /// A proposal; `complete` if a blank may follow it.
    record Proposal(String value, String description, boolean complete) {}

    Completions(Session session) {
        this.session = session;
    }

    /// Proposals for the last of `words`, which may be empty; the first is the verb's name.
    List<Proposal> of(List<String> words) {
        if (words.size() <= 1) {
            String typed = words.isEmpty() ? "" : words.getFirst();
            Stream<Proposal> verbs =
                    session.dispatcher().verbs().stream().map(v -> new Proposal(v.getName(), v.getDescription(), true));
            Stream<Proposal> aliases =
                    session.aliases().entrySet().stream().map(a -> new Proposal(a.getKey(), a.getValue(), true));
            return Stream.concat(verbs, aliases)
                    .filter(p -> p.value().startsWith(typed))
                    .sorted(Comparator.comparing(Proposal::value))
                    .toList();
        }
        List<String> meant = expanded(words);
        Optional<Verb> verb = session.dispatcher().find(meant.getFirst());
        return verb.map(v -> of(v, meant.subList(1, meant.size()))).orElse(List.of());
    }

    private List<String> expanded(List<String> words) {
        List<Tokenizer.Word> typed =
                words.stream().map(w -> new Tokenizer.Word(w, 0, 0, false)).toList();
        try {
            return AliasVerb.expand(typed, session).stream()
                    .map(Tokenizer.Word::text)
                    .toList();
        } catch (Fault fault) {
            return words;
        }
    }

    /// Proposals for the last of `words`, which follow the name of `verb`.
    List<Proposal> of(Verb verb, List<String> words) {
        String typed = words.isEmpty() ? "" : words.getLast();
        String before = words.size() < 2 ? "" : words.get(words.size() - 2);
        Optional<OptionSpec> option = before.startsWith("--") && !before.contains("=")
                ? Binder.find(verb, Binder.normal(before.substring(2))).filter(o -> !o.isFlag())
                : Optional.empty();
        if (option.isPresent()) {
            return values(option.get(), typed);
        }
        if (typed.startsWith("-")) {
            return verb.options().stream()
                    .filter(o -> ("--" + o.name()).startsWith(Binder.normal(typed)))
                    .map(o -> new Proposal("--" + o.name(), o.help(), true))
                    .toList();
        }
        int position = position(verb, words);
        if (position >= 0 && !verb.choices(position).isEmpty()) {
            return verb.choices(position).stream()
                    .filter(c -> c.startsWith(typed))
                    .map(c -> new Proposal(c, "", true))
                    .toList();
        }
        return parameter(verb, position).map(kind -> values(kind, typed, words)).orElse(List.of());
    }

    /// Which of the words that are no options the last of `words` is; -1 before the first.
    private static int position(Verb verb, List<String> words) {
        int position = -1;
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            boolean value = i > 0
                    && words.get(i - 1).startsWith("--")
                    && Binder.find(verb, Binder.normal(words.get(i - 1).substring(2)))
                            .filter(o -> !o.isFlag())
                            .isPresent();
            if (!word.startsWith("--") && !value) {
                position++;
            }
        }
        return position;
    }

    private static Optional<ValueKind> parameter(Verb verb, int position) {
        List<Parameter> parameters = verb.parameters();
        if (parameters.isEmpty() || position < 0) {
            return Optional.empty();
        }
        if (position < parameters.size()) {
            return Optional.of(parameters.get(position).kind());
        }
        return parameters.getLast().repeated()
                ? Optional.of(parameters.getLast().kind())
                : Optional.empty();
    }

    private List<Proposal> values(OptionSpec option, String typed) {
        if (!option.choices().isEmpty()) {
            return option.choices().stream()
                    .filter(c -> c.startsWith(typed.toLowerCase(Locale.ROOT)))
                    .map(c -> new Proposal(c, "", true))
                    .toList();
        }
        return values(option.kind(), typed, List.of());
    }

    private List<Proposal> values(ValueKind kind, String typed, List<String> words) {
        return switch (kind) {
            case PATH, DIRECTORY, RECIPE -> paths(typed, kind);
            case MODEL -> models(typed);
            case SELECTOR -> typed.startsWith("!") ? negated(typed, words) : modelsThenTensors(typed, words, kind);
            case TENSOR -> modelsThenTensors(typed, words, kind);
            case COMMAND -> of(List.of(typed));
            case CODE -> modelsAndCodes(typed, words);
            case METHOD ->
                Methods.all().stream()
                        .filter(m -> m.name().startsWith(typed.replace('_', '-')))
                        .map(m -> new Proposal(m.name(), m.use(), true))
                        .toList();
            case FORMAT, TEXT -> List.of();
        };
    }

    private List<Proposal> models(String typed) {
        int at = typed.lastIndexOf('@');
        if (at > 0 && session.models().containsKey(typed.substring(0, at))) {
            return ranks(session.model(typed.substring(0, at)), typed);
        }
        return session.models().values().stream()
                .filter(m -> m.name().startsWith(typed))
                .map(m -> new Proposal(m.name(), ModelText.brief(m), true))
                .toList();
    }

    private static List<Proposal> ranks(Model model, String typed) {
        List<Proposal> proposals = new ArrayList<>();
        RankView.ranks(model)
                .forEach((rank, local) -> proposals.add(new Proposal(
                        model.name() + "@" + rank,
                        Counted.of(local.size(), "tensor") + " " + Units.bytes(local.byteCount()),
                        true)));
        if (proposals.size() > 1) {
            proposals.add(new Proposal(model.name() + "@*", "all " + proposals.size() + " ranks", true));
        }
        proposals.removeIf(p -> !p.value().startsWith(typed));
        return proposals;
    }

    private List<Proposal> modelsAndCodes(String typed, List<String> words) {
        List<Proposal> proposals = new ArrayList<>(modelsThenTensors(typed, words, ValueKind.TENSOR));
        Arrays.stream(Code.values())
                .filter(c -> c.name().startsWith(typed.toUpperCase(Locale.ROOT)) && !typed.isEmpty())
                .forEach(c -> proposals.add(new Proposal(c.name(), c.title(), true)));
        return proposals;
    }

    private List<Proposal> modelsThenTensors(String typed, List<String> words, ValueKind kind) {
        List<Proposal> proposals = new ArrayList<>(models(typed));
        proposals.addAll(tensors(typed, words, kind));
        return proposals;
    }

    private List<Proposal> negated(String typed, List<String> words) {
        return tensors(typed.substring(1), words, ValueKind.SELECTOR).stream()
                .map(p -> new Proposal("!" + p.value(), p.description(), p.complete()))
                .toList();
    }

    /// Names of tensors of the model that the words before name, else of the one in use.
    private List<Proposal> tensors(String typed, List<String> words, ValueKind kind) {
        Optional<Model> model = words.stream()
                .limit(Math.max(0, words.size() - 1))
                .flatMap(w -> session.find(w).stream())
                .findFirst()
                .or(() -> session.current().flatMap(session::find))
                .or(() -> session.models().size() == 1
                        ? Optional.of(session.models().firstEntry().getValue())
                        : Optional.empty());
        return model.map(m -> names.computeIfAbsent(m, k -> TensorNames.of(k.tensors())))
                .map(n -> kind == ValueKind.TENSOR ? n.one(typed) : n.some(typed))
                .orElse(List.of());
    }

    private static List<Proposal> paths(String typed, ValueKind kind) {
        int slash = typed.lastIndexOf('/');
        String folder = typed.substring(0, slash + 1);
        String start = typed.substring(slash + 1);
        Path directory = Path.of(
                folder.startsWith("~/")
                        ? System.getProperty("user.home") + folder.substring(1)
                        : folder.isEmpty() ? "." : folder);
        List<Proposal> proposals = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
            for (Path path : stream) {
                String name = String.valueOf(path.getFileName());
                boolean hidden = name.startsWith(".") && !start.startsWith(".");
                boolean isDirectory = Files.isDirectory(path);
                boolean fits =
                        isDirectory || kind == ValueKind.PATH || kind == ValueKind.RECIPE && name.endsWith(".rsh");
                if (name.startsWith(start) && !hidden && fits && proposals.size() < MAX_PROPOSALS) {
                    proposals.add(new Proposal(folder + name + (isDirectory ? "/" : ""), "", !isDirectory));
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return List.of();
        }
        proposals.sort(Comparator.comparing(Proposal::value));
        return proposals;
    }
}
