package dev.kintsugi.shell;

import dev.kintsugi.architecture.Config;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.MergePlan;
import dev.kintsugi.fusion.TokenRows;
import dev.kintsugi.fusion.TokenizerConfig;
import dev.kintsugi.tokenizer.TokenUnion;
import dev.kintsugi.tokenizer.Tokens;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;

/// The vocabularies of several models on their way to become one.
final class TokenMerge {
    private static final List<String> SPECIAL = List.of("bos_token_id", "eos_token_id", "pad_token_id");

    private final TokenizerConfig config;
    private final Optional<String> preferred;
    private final Map<String, ParentModel> models;
    private final String base;
    private final Model face;
    private final Map<String, Tokens> tokens = new LinkedHashMap<>();
    private final Map<String, Long> rows = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();

    /// A tokenizer's directory, and those of its files that have other texts.
    record Whose(Optional<Path> directory, Map<String, String> texts) {
        static Whose of(Model model) {
            return new Whose(model.tokenizer(), model.texts());
        }

        Optional<Tokens> tokens() {
            return directory.flatMap(d -> Tokens.read(d, texts));
        }
    }

    private Whose whose = new Whose(Optional.empty(), Map.of());
    private Map<String, Long> ids = Map.of();
    private Map<String, String> texts = Map.of();

    /// @param preferred the base, if the merge has one: its rows are taken for tokens that a model lacks
    /// @param models those that are merged, by the names the merge gives them
    /// @param base whose tokenizer is meant by `base`, and by a model that has none
    /// @param face the model whose `config.json` the result has
    TokenMerge(
            TokenizerConfig config,
            Optional<String> preferred,
            Map<String, ParentModel> models,
            String base,
            Model face) {
        this.config = config;
        this.preferred = preferred;
        this.models = models;
        this.base = base;
        this.face = face;
        models.forEach((name, model) -> rows.put(name, MergePlan.embeddingRows(model.tensors())));
    }

    /// Reads the models' tokenizers. False where no model has one: then a row means what its number says.
    ///
    /// **Errors.** [Fault] `K7003` where the base has none.
    boolean hasTokens(Console console) {
        models.forEach(
                (name, model) -> Whose.of(model.models().getFirst()).tokens().ifPresent(t -> tokens.put(name, t)));
        Tokens known = tokens.get(base);
        if (tokens.isEmpty()
                && config.tokens().isEmpty()
                && config.padToMultipleOf().isEmpty()) {
            console.note("no model has a tokenizer.json: rows of one number are taken for one token");
            return false;
        }
        if (known == null) {
            throw new Fault(
                    Code.K7003,
                    base + " has no tokenizer.json",
                    "what its rows mean is not known, so they cannot be put beside those of others",
                    "open it with the directory of its tokenizer, --sidecars DIR, and name it in the configuration");
        }
        for (String name : models.keySet()) {
            if (tokens.putIfAbsent(name, known) == null) {
                notes.add(name + " has no tokenizer.json: its rows are taken for the tokens of " + base);
            }
        }
        return true;
    }

    /// Makes the vocabulary. `elsewhere` finds the tokenizer that the configuration names by a path.
    ///
    /// **Errors.** [Fault] `K7003` where there is none, or it cannot hold the tokens.
    TokenMerge from(Function<String, Whose> elsewhere) {
        Model first = Objects.requireNonNull(models.get(base)).models().getFirst();
        boolean union = config.source() instanceof TokenizerConfig.Source.Union;
        whose = config.source() instanceof TokenizerConfig.Source.Of named
                ? elsewhere.apply(named.model())
                : Whose.of(first);
        Tokens start = whose.tokens()
                .orElseThrow(() -> new Fault(
                        Code.K7003,
                        whose.directory().map(Path::toString).orElse("the model") + " has no tokenizer.json",
                        "the result is to have its tokens",
                        "name a directory with a tokenizer, or give base or union"));
        List<TokenUnion.Other> others = new ArrayList<>();
        if (union) {
            others.add(new TokenUnion.Other(Objects.requireNonNull(tokens.get(base)), rows(base)));
            models.keySet().stream()
                    .filter(n -> !n.equals(base))
                    .forEach(n -> others.add(new TokenUnion.Other(Objects.requireNonNull(tokens.get(n)), rows(n))));
        }
        TokenUnion made = TokenUnion.of(start, others, config.tokens().keySet());
        ids = made.ids();
        texts = new LinkedHashMap<>(whose.texts());
        texts.putAll(made.texts());
        tell(made.added());
        return this;
    }

    private long rows(String model) {
        return Objects.requireNonNull(rows.get(model));
    }

    TokenRows rows() {
        Map<String, Map<String, Long>> vocabularies = new LinkedHashMap<>();
        tokens.forEach((name, t) -> vocabularies.put(name, t.ids()));
        return new TokenRows(new LinkedHashMap<>(ids), vocabularies, preferred, config);
    }

    private void tell(List<String> added) {
        long rows = rows().rows();
        long padding = rows - ids.values().stream().distinct().count();
        notes.add("the result has " + Counted.of(ids.size(), "token")
                + (added.isEmpty()
                        ? ""
                        : ", " + added.size() + " of them new to its tokenizer: " + Vocabulary.shown(added))
                + "; " + Counted.of(rows, "row")
                + (padding > 0 ? ", " + padding + " of no token, which are the mean of the others" : ""));
        config.tokens()
                .forEach((token, choice) -> notes.add(token + " is " + text(choice.from())
                        + (choice.force() ? " in all models" : " where a model lacks it")));
        models.keySet().forEach(this::tellOf);
    }

    private static String text(TokenizerConfig.From from) {
        return switch (from) {
            case TokenizerConfig.From.Model model -> "that of " + model.model();
            case TokenizerConfig.From.Token other -> other.token() + " of " + other.model();
            case TokenizerConfig.From.Row other -> "row " + other.row() + " of " + other.model();
            case TokenizerConfig.From.Zero _ -> "zeros";
        };
    }

    /// Whether `model` has a row for `token`.
    private boolean has(String model, String token) {
        return Objects.requireNonNull(tokens.get(model)).ids().getOrDefault(token, Long.MAX_VALUE) < rows(model);
    }

    private void tellOf(String model) {
        Map<String, Long> own = Objects.requireNonNull(tokens.get(model)).ids();
        long rows = rows(model);
        List<String> lacking = ids.keySet().stream()
                .filter(t -> !has(model, t))
                .filter(t -> !config.tokens().containsKey(t))
                .toList();
        List<String> lost = own.keySet().stream()
                .filter(t -> has(model, t) && !ids.containsKey(t))
                .toList();
        List<String> rowless = own.keySet().stream().filter(t -> !has(model, t)).toList();
        List<String> averaged = lacking.stream().filter(this::isAveraged).toList();
        if (!lacking.isEmpty()) {
            notes.add(model + " lacks " + Counted.of(lacking.size(), "token") + ", whose rows are taken of models that"
                    + " have them"
                    + (averaged.isEmpty() ? "" : ", " + averaged.size() + " as a mean of several")
                    + ": " + Vocabulary.shown(lacking));
        }
        if (!lost.isEmpty()) {
            notes.add(Counted.of(lost.size(), "token") + " of " + model + " are lost: " + Vocabulary.shown(lost));
        }
        if (!rowless.isEmpty()) {
            notes.add(Counted.of(rowless.size(), "token") + " of the tokenizer of " + model + " have no row: "
                    + Vocabulary.shown(rowless));
        }
        Set<Long> meant = Set.copyOf(own.values());
        long unnamed = rows - meant.stream().filter(id -> id < rows).count();
        if (unnamed > 0) {
            notes.add(Counted.of(unnamed, "row") + " of " + model + " are no token's, and are left out");
        }
    }

    private boolean isAveraged(String token) {
        long owners = models.keySet().stream().filter(m -> has(m, token)).count();
        boolean base = preferred.filter(p -> has(p, token)).isPresent();
        return owners > 1 && !base;
    }

    /// What it changes of the files of the face.
    FaceChanges changes() {
        Optional<Path> other = whose.directory().filter(d -> !Optional.of(d).equals(face.tokenizer()));
        Map<String, String> edits = new LinkedHashMap<>();
        face.hub()
                .config()
                .ifPresent(config -> Whose.of(face)
                        .tokens()
                        .ifPresent(old -> SPECIAL.forEach(key -> edit(config, key, old, edits))));
        if (!edits.isEmpty() && sidecar("generation_config.json")) {
            notes.add("generation_config.json has numbers of tokens of another tokenizer; those in config.json were"
                    + " changed: " + String.join(", ", edits.keySet()));
        }
        return new FaceChanges(edits, texts, other, notes);
    }

    private boolean sidecar(String name) {
        return face.sidecars().filter(d -> Files.isRegularFile(d.resolve(name))).isPresent();
    }

    /// The number of the same token in the result's vocabulary, where `config.json` says another.
    private void edit(Config config, String key, Tokens old, Map<String, String> edits) {
        JsonNode said = config.root().path(key);
        if (!said.isIntegralNumber()) {
            return;
        }
        for (Map.Entry<String, Long> token : old.ids().entrySet()) {
            Long now = ids.get(token.getKey());
            if (token.getValue() == said.asLong() && now != null && now != said.asLong()) {
                edits.put(key, Long.toString(now));
            }
        }
    }
}
