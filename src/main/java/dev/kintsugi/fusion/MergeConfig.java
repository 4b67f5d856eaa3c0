package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedSet;
import java.util.Set;
import java.util.function.UnaryOperator;

/// A merge configuration as mergekit reads it.
///
/// Read: `merge_method`, `models` or `slices`, `base_model`, `parameters` with gradients and filters, `dtype`,
/// `out_dtype`, and `name`, by which another configuration of the same file may name this one's result as a
/// model, and `tokenizer_source` or `tokenizer`. Refused: chat templates and modules. `dtype` alone is the dtype
/// of the result; the arithmetic is wider anyway.
/// **Errors.** [Fault] `K7006` for what cannot be read, an unknown key with the key that may have been meant;
/// `K7001` and `K7002` for methods and options.
/// **Source.** `mergekit/config.py`.
public record MergeConfig(
        Optional<String> name,
        Method method,
        List<Slice> slices,
        boolean wholeModels,
        Optional<String> baseModel,
        Map<String, Setting> parameters,
        Optional<DType> dtype,
        Optional<TokenizerConfig> tokenizer) {
    private static final List<String> KEYS = List.of(
            "name",
            "merge_method",
            "models",
            "slices",
            "base_model",
            "parameters",
            "dtype",
            "out_dtype",
            "tokenizer_source",
            "tokenizer");
    private static final Map<String, String> REFUSED = Map.of(
            "chat_template", "sidecar files are copied as they are",
            "modules", "only models of one module are merged",
            "gate_mode", "that of mergekit-moe, whose mixtures of experts are not made",
            "experts", "that of mergekit-moe, whose mixtures of experts are not made");

    /// Some layers of some models; `sources` in order.
    public record Slice(List<Source> sources, Map<String, Setting> parameters) {
        public Slice {
            sources = List.copyOf(sources);
            parameters = Map.copyOf(parameters);
        }
    }

    /// Layers `[firstLayer, endLayer)` of a model; all of it where both are 0.
    public record Source(String model, int firstLayer, int endLayer, Map<String, Setting> parameters) {
        public Source {
            parameters = Map.copyOf(parameters);
        }
    }

    public MergeConfig {
        slices = List.copyOf(slices);
        parameters = Map.copyOf(parameters);
    }

    /// Every model named, the base included, each once.
    public SequencedSet<String> models() {
        SequencedSet<String> names = new LinkedHashSet<>();
        slices.forEach(slice -> slice.sources().forEach(source -> names.add(source.model())));
        baseModel.ifPresent(names::add);
        return names;
    }

    /// The same with every model called what `names` says.
    public MergeConfig renamed(UnaryOperator<String> names) {
        List<Slice> renamed = new ArrayList<>();
        for (Slice slice : slices) {
            renamed.add(new Slice(
                    slice.sources().stream()
                            .map(s -> new Source(names.apply(s.model()), s.firstLayer(), s.endLayer(), s.parameters()))
                            .toList(),
                    slice.parameters()));
        }
        return new MergeConfig(
                name,
                method,
                renamed,
                wholeModels,
                baseModel.map(names),
                parameters,
                dtype,
                tokenizer.map(t -> t.renamed(models(), names)));
    }

    /// The same with `setting` for the whole merge.
    public MergeConfig withParameter(String option, Setting setting) {
        Map<String, Setting> more = new LinkedHashMap<>(parameters);
        more.put(option, setting);
        return new MergeConfig(name, method, slices, wholeModels, baseModel, more, dtype, tokenizer);
    }

    /// Reads the text of a configuration file that holds one configuration.
    public static MergeConfig parse(String yaml) {
        List<MergeConfig> all = parseAll(yaml);
        if (all.size() > 1) {
            throw fault("the file holds " + all.size() + " configurations", "one is read here", "take one out");
        }
        return all.getFirst();
    }

    /// Reads the text of a configuration file. Of several configurations all but one have a name, each its own.
    public static List<MergeConfig> parseAll(String yaml) {
        List<MergeConfig> all =
                YamlReader.documents(yaml).stream().map(MergeConfig::of).toList();
        Set<String> names = new HashSet<>();
        for (MergeConfig config : all) {
            if (config.name().filter(n -> !names.add(n)).isPresent()) {
                throw fault(
                        "two configurations are named " + config.name().get(),
                        "a name stands for the result of one",
                        "rename one");
            }
        }
        if (all.size() > 1 && names.size() != all.size() - 1) {
            throw fault(
                    "of " + all.size() + " configurations " + (all.size() - names.size()) + " have no name",
                    "the one without a name is the result, the others are steps towards it",
                    "give all but one a name");
        }
        return all;
    }

    private static MergeConfig of(Object document) {
        Map<String, Object> root = map(document, "the configuration");
        checkKeys(root.keySet(), KEYS, "the configuration");
        if (root.containsKey("models") == root.containsKey("slices")) {
            throw fault(
                    "the configuration has " + (root.containsKey("models") ? "both" : "neither") + " models and slices",
                    "one of them says what is merged",
                    "give models for whole models, slices to stack layers");
        }
        Method method = Methods.named(word(required(root, "merge_method"), "merge_method"));
        boolean whole = root.containsKey("models");
        List<Slice> slices = whole
                ? List.of(new Slice(sources(required(root, "models"), method, false), Map.of()))
                : slices(required(root, "slices"), method);
        String base = word(root.getOrDefault("base_model", ""), "base_model");
        String name = word(root.getOrDefault("name", ""), "name");
        return new MergeConfig(
                name.isEmpty() ? Optional.empty() : Optional.of(name),
                method,
                slices,
                whole,
                base.isEmpty() ? Optional.empty() : Optional.of(base),
                parameters(root.getOrDefault("parameters", Map.of()), method),
                dtype(root, "out_dtype").or(() -> dtype(root, "dtype")),
                tokenizer(root));
    }

    private static Optional<TokenizerConfig> tokenizer(Map<String, Object> root) {
        if (!root.containsKey("tokenizer")) {
            String source = word(root.getOrDefault("tokenizer_source", ""), "tokenizer_source");
            return source.isEmpty()
                    ? Optional.empty()
                    : Optional.of(new TokenizerConfig(source(source), Map.of(), OptionalLong.empty()));
        }
        if (root.containsKey("tokenizer_source")) {
            throw fault(
                    "the configuration has both tokenizer and tokenizer_source",
                    "one of them says whose tokens the result has",
                    "leave tokenizer_source out");
        }
        Map<String, Object> tokenizer = map(required(root, "tokenizer"), "tokenizer");
        checkKeys(tokenizer.keySet(), List.of("source", "tokens", "pad_to_multiple_of"), "tokenizer");
        Map<String, TokenizerConfig.Choice> tokens = new LinkedHashMap<>();
        Object said = tokenizer.getOrDefault("tokens", "");
        if (!said.equals("")) {
            map(said, "tokens").forEach((token, choice) -> tokens.put(token, choice(token, choice)));
        }
        return Optional.of(new TokenizerConfig(
                source(word(tokenizer.getOrDefault("source", "union"), "the source of the tokenizer")),
                tokens,
                padding(word(tokenizer.getOrDefault("pad_to_multiple_of", ""), "pad_to_multiple_of"))));
    }

    private static TokenizerConfig.Source source(String word) {
        return switch (word) {
            case "base" -> new TokenizerConfig.Source.Base();
            case "", "union" -> new TokenizerConfig.Source.Union();
            default -> new TokenizerConfig.Source.Of(word);
        };
    }

    private static OptionalLong padding(String word) {
        if (word.isEmpty()) {
            return OptionalLong.empty();
        }
        if (!word.matches("[1-9]\\d{0,8}")) {
            throw fault("pad_to_multiple_of is " + word, "it is a whole number of rows", "write for example 64");
        }
        return OptionalLong.of(Long.parseLong(word));
    }

    private static TokenizerConfig.Choice choice(String token, Object value) {
        Map<String, Object> choice = map(value, "the token " + token);
        checkKeys(choice.keySet(), List.of("source", "force"), "the token " + token);
        String force = word(choice.getOrDefault("force", "false"), "force").toLowerCase(Locale.ROOT);
        if (!force.equals("true") && !force.equals("false")) {
            throw fault("force of the token " + token + " is " + force, "it is true or false", "write force: true");
        }
        return new TokenizerConfig.Choice(from(token, required(choice, "source")), force.equals("true"));
    }

    private static TokenizerConfig.From from(String token, Object value) {
        if (!(value instanceof Map<?, ?>)) {
            return new TokenizerConfig.From.Model(word(value, "the source of the token " + token));
        }
        String where = "the source of the token " + token;
        Map<String, Object> source = map(value, where);
        String kind = word(required(source, "kind"), "kind");
        if (kind.equals("zero")) {
            checkKeys(source.keySet(), List.of("kind"), where);
            return new TokenizerConfig.From.Zero();
        }
        checkKeys(source.keySet(), List.of("kind", "model", "token", "token_id"), where);
        if (!kind.equals("model_token")) {
            throw fault(where + " is of the kind " + kind, "kinds are model_token and zero", "write one of them");
        }
        if (source.containsKey("token") == source.containsKey("token_id")) {
            throw fault(
                    where + " has " + (source.containsKey("token") ? "both" : "neither") + " token and token_id",
                    "one of them says which row is taken",
                    "give one");
        }
        String model = word(required(source, "model"), "model");
        if (source.containsKey("token")) {
            return new TokenizerConfig.From.Token(model, word(required(source, "token"), "token"));
        }
        String row = word(required(source, "token_id"), "token_id");
        if (!row.matches("\\d{1,9}")) {
            throw fault("token_id of " + where + " is " + row, "it is the number of a row", "write a whole number");
        }
        return new TokenizerConfig.From.Row(model, Long.parseLong(row));
    }

    private static Optional<DType> dtype(Map<String, Object> root, String key) {
        if (!root.containsKey(key)) {
            return Optional.empty();
        }
        String name = word(required(root, key), key);
        return Optional.of(DType.parse(name)
                .filter(DType::isFloat)
                .orElseThrow(() -> fault(
                        key + " is " + name,
                        "results are rounded to a floating point dtype",
                        "give float32, bfloat16 or float16")));
    }

    private static List<Slice> slices(Object value, Method method) {
        List<Slice> slices = new ArrayList<>();
        for (Object item : list(value, "slices")) {
            Map<String, Object> slice = map(item, "a slice");
            checkKeys(slice.keySet(), List.of("sources", "parameters"), "a slice");
            List<Source> sources = sources(required(slice, "sources"), method, true);
            int layers = sources.getFirst().endLayer() - sources.getFirst().firstLayer();
            for (Source source : sources) {
                if (source.endLayer() - source.firstLayer() != layers) {
                    throw fault(
                            "a slice takes " + layers + " layers of "
                                    + sources.getFirst().model() + " and "
                                    + (source.endLayer() - source.firstLayer()) + " of " + source.model(),
                            "layers are merged one with one",
                            "give ranges of one length");
                }
            }
            slices.add(new Slice(sources, parameters(slice.getOrDefault("parameters", Map.of()), method)));
        }
        return slices;
    }

    private static List<Source> sources(Object value, Method method, boolean layers) {
        List<Source> sources = new ArrayList<>();
        for (Object item : list(value, layers ? "sources" : "models")) {
            Map<String, Object> entry = map(item, "a model");
            checkKeys(
                    entry.keySet(),
                    layers ? List.of("model", "layer_range", "parameters") : List.of("model", "parameters"),
                    "a model");
            String model = word(required(entry, "model"), "model");
            Map<String, Setting> parameters = parameters(entry.getOrDefault("parameters", Map.of()), method);
            int[] range = layers ? range(required(entry, "layer_range")) : new int[] {0, 0};
            sources.add(new Source(model, range[0], range[1], parameters));
        }
        if (sources.isEmpty()) {
            throw fault("a list of models is empty", "nothing to merge", "name the models");
        }
        return sources;
    }

    private static int[] range(Object value) {
        List<Object> ends = list(value, "layer_range");
        try {
            int first = ends.size() == 2 ? Integer.parseInt(word(ends.getFirst(), "layer_range")) : -1;
            int end = ends.size() == 2 ? Integer.parseInt(word(ends.getLast(), "layer_range")) : -1;
            if (first >= 0 && first < end) {
                return new int[] {first, end};
            }
        } catch (NumberFormatException e) {
            throw new Fault(
                    Code.K7006, "layer_range is " + value, "it holds no numbers", "give [first, end), as in [0, 8]", e);
        }
        throw fault("layer_range is " + value, "it is no range", "give [first, end), as in [0, 8]");
    }

    private static Map<String, Setting> parameters(Object value, Method method) {
        Map<String, Setting> settings = new LinkedHashMap<>();
        if (value.equals("")) {
            return settings;
        }
        map(value, "parameters").forEach((name, given) -> {
            method.option(name);
            settings.put(name.replace('-', '_'), setting(name, given));
        });
        return settings;
    }

    private static Setting setting(String name, Object value) {
        if (value instanceof List<?> items) {
            if (!items.isEmpty() && items.stream().allMatch(Map.class::isInstance)) {
                return new Setting.Filtered(
                        items.stream().map(item -> rule(name, item)).toList());
            }
            return Setting.parse(items.toString());
        }
        Setting setting = Setting.parse(word(value, name));
        if (setting instanceof Setting.Gradient) {
            throw fault(name + " is " + value, "a gradient is a list", "write it as [first, …, last]");
        }
        return setting;
    }

    private static Setting.Rule rule(String name, Object item) {
        Map<String, Object> rule = map(item, name);
        checkKeys(rule.keySet(), List.of("filter", "value"), "an entry of " + name);
        String filter = word(rule.getOrDefault("filter", "*"), "filter");
        return Setting.Rule.ofSubstring(filter.isEmpty() ? "*" : filter, setting(name, required(rule, "value")));
    }

    private static Fault fault(String what, String why, String next) {
        return new Fault(Code.K7006, what, why, next);
    }

    private static void checkKeys(Set<String> given, List<String> known, String where) {
        for (String key : given) {
            if (known.contains(key)) {
                continue;
            }
            if (REFUSED.containsKey(key)) {
                throw fault(
                        "the key " + key + " is not followed",
                        REFUSED.get(key) + " here",
                        "leave it out, then look at the result");
            }
            throw fault(
                    "unknown key " + key + " in " + where,
                    "it would have no effect; known are " + String.join(", ", known),
                    Nearest.to(key, known, 1).stream()
                            .findFirst()
                            .map(k -> "did you mean " + k + "?")
                            .orElse("leave it out"));
        }
    }

    private static Object required(Map<String, Object> map, String key) {
        Object value = map.get(key);
        if (value == null || value.equals("")) {
            throw fault("the key " + key + " is missing", "it says what is merged", "add it");
        }
        return value;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value, String what) {
        if (value instanceof Map<?, ?>) {
            return (Map<String, Object>) value;
        }
        throw fault(what + " is no map: " + value, "keys and values were expected", "write key: value");
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Object value, String what) {
        if (value instanceof List<?>) {
            return (List<Object>) value;
        }
        throw fault(what + " is no list: " + value, "a list was expected", "begin each entry with a dash");
    }

    private static String word(Object value, String what) {
        if (value instanceof String text) {
            return text;
        }
        throw fault(what + " is no single value: " + value, "a word or number was expected", "give one");
    }
}
