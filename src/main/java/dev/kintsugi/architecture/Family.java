package dev.kintsugi.architecture;

import dev.kintsugi.io.ForeignJson;
import dev.kintsugi.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.BiConsumer;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// What is known of one model family: its tensors as templates over `config.json`, its names on disk, its tied
/// tensors. Read from a resource of this room.
public final class Family {
    private static final List<Family> ALL = load();

    private final List<String> modelTypes;
    private final Map<String, String> defaults;
    private final SequencedMap<String, String> ranges;
    private final SequencedMap<String, String> tensors;
    private final SequencedMap<String, SequencedMap<String, String>> heads;
    private final SequencedMap<String, String> tied;
    private final List<Rename> renames;
    private final List<Split> splits;

    /// A rule for names: what `from` finds becomes `to`.
    public record Rename(Pattern from, String to) {}

    /// A rule for a tensor `[experts, parts · n, …]`: `into` has one name a part, with `{expert}` in it.
    public record Split(Pattern name, List<String> into) {
        public Split {
            into = List.copyOf(into);
        }
    }

    private Family(JsonNode node) {
        List<String> types = new ArrayList<>();
        node.path("model_types").forEach(n -> types.add(n.asString()));
        modelTypes = List.copyOf(types);
        defaults = strings(node.path("defaults"));
        ranges = strings(node.path("ranges"));
        tensors = strings(node.path("tensors"));
        heads = new LinkedHashMap<>();
        node.path("heads").forEachEntry((name, head) -> heads.put(name, strings(head)));
        tied = strings(node.path("tied"));
        List<Rename> renameRules = new ArrayList<>();
        node.path("rename")
                .forEach(r -> renameRules.add(new Rename(
                        Pattern.compile(r.path(0).asString()), r.path(1).asString())));
        renames = List.copyOf(renameRules);
        List<Split> splitRules = new ArrayList<>();
        node.path("split").forEach(rule -> {
            List<String> into = new ArrayList<>();
            for (int i = 1; i < rule.size(); i++) {
                into.add(rule.path(i).asString());
            }
            splitRules.add(new Split(Pattern.compile(rule.path(0).asString()), into));
        });
        splits = List.copyOf(splitRules);
    }

    private static SequencedMap<String, String> strings(JsonNode node) {
        SequencedMap<String, String> map = new LinkedHashMap<>();
        node.forEachEntry((key, value) -> map.put(key, value.asString()));
        return map;
    }

    private static List<Family> load() {
        List<Family> families = new ArrayList<>();
        for (String name : resource("families.txt").lines().toList()) {
            families.add(new Family(ForeignJson.tree(resource(name + ".json"))));
        }
        return List.copyOf(families);
    }

    private static String resource(String name) {
        try (InputStream stream = Family.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IllegalStateException("the resource " + name + " is not in the build");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The family of the model that `config` describes, if it is known.
    public static Optional<Family> of(Config config) {
        Optional<String> type = config.modelType();
        return ALL.stream()
                .filter(f -> type.isPresent() && f.modelTypes.contains(type.get()))
                .findFirst();
    }

    /// Every `model_type` that is known.
    public static List<String> knownModelTypes() {
        return ALL.stream().flatMap(f -> f.modelTypes.stream()).sorted().toList();
    }

    /// Whether tensors of a model class such as `Qwen2ForCausalLM` are known.
    public boolean knows(String architecture) {
        return head(architecture).isPresent();
    }

    private Optional<SequencedMap<String, String>> head(String architecture) {
        return heads.entrySet().stream()
                .filter(e -> architecture.endsWith(e.getKey()))
                .map(Map.Entry::getValue)
                .findFirst();
    }

    public SequencedMap<String, String> tied() {
        return Collections.unmodifiableSequencedMap(tied);
    }

    public List<Rename> renames() {
        return renames;
    }

    public List<Split> splits() {
        return splits;
    }

    /// Whether the family's models share the embedding with the head unless `config.json` says otherwise.
    public boolean tiesByDefault() {
        return "1".equals(defaults.get("tie_word_embeddings"));
    }

    /// Every tensor a model of `architecture` has on disk, tied heads included, in the order of the modules.
    ///
    /// `known` are numbers that overrule those of `config`.
    ///
    /// **Errors.** [IllegalArgumentException] where `config` lacks a key, or says something impossible.
    public SequencedMap<String, Shape> expected(Config config, String architecture, Map<String, Long> known) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        SequencedMap<String, String> templates = new LinkedHashMap<>(tensors);
        head(architecture).ifPresent(templates::putAll);
        ConfigValues values = new ConfigValues(config, defaults);
        known.forEach(values::index);
        templates.forEach((name, shape) -> expand(name, shape, values, shapes::put));
        return shapes;
    }

    private void expand(String name, String shape, ConfigValues values, BiConsumer<String, Shape> sink) {
        for (Map.Entry<String, String> range : ranges.entrySet()) {
            String placeholder = "{" + range.getKey() + "}";
            if (name.contains(placeholder)) {
                long count = values.evaluate(range.getValue());
                if (count > 1_000_000) {
                    throw new IllegalArgumentException(range.getValue() + " is " + count);
                }
                for (long i = 0; i < count; i++) {
                    values.index(range.getKey(), i);
                    expand(name.replace(placeholder, Long.toString(i)), shape, values, sink);
                }
                return;
            }
        }
        int condition = shape.indexOf(" if ");
        if (condition >= 0 && values.evaluate(shape.substring(condition + 4)) == 0) {
            return;
        }
        String[] dims = (condition < 0 ? shape : shape.substring(0, condition)).split(",", -1);
        long[] extents = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
            extents[i] = values.evaluate(dims[i]);
        }
        sink.accept(name, Shape.of(extents));
    }
}
