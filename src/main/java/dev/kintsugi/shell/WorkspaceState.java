package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What a workspace holds: open models as the commands that make them, never their tensors.
///
/// @param models in the order in which they were made, so that each follows what it is made of
/// @param use the model in use, if one was chosen
/// @param settings what `set` was told
/// @param aliases what `alias` was told
record WorkspaceState(
        List<Entry> models,
        Optional<String> use,
        SequencedMap<String, String> settings,
        SequencedMap<String, String> aliases) {
    static final WorkspaceState EMPTY =
            new WorkspaceState(List.of(), Optional.empty(), new TreeMap<>(), new TreeMap<>());

    /// A model: the command that makes it, and its files as they were.
    record Entry(String name, String command, List<Source> sources) {
        Entry {
            sources = List.copyOf(sources);
        }

        boolean isSameModel(Entry other) {
            return name.equals(other.name) && command.equals(other.command);
        }
    }

    /// A file as it was. **Units.** `modifiedMillis` since 1970.
    record Source(String path, long byteCount, long modifiedMillis) {}

    WorkspaceState {
        models = List.copyOf(models);
        settings = Collections.unmodifiableSequencedMap(new TreeMap<>(settings));
        aliases = Collections.unmodifiableSequencedMap(new TreeMap<>(aliases));
    }

    /// Whether all is alike but for the order of the models and what is known of their files.
    boolean isLike(WorkspaceState other) {
        return bare().equals(other.bare());
    }

    private WorkspaceState bare() {
        List<Entry> bare = models.stream()
                .map(e -> new Entry(e.name(), e.command(), List.of()))
                .sorted(Comparator.comparing(Entry::name))
                .toList();
        return new WorkspaceState(bare, use, settings, aliases);
    }

    /// What led from here to `after`, as one would type it: `open actor`, `use base`, `set threads 4`.
    String changeTo(WorkspaceState after) {
        List<String> parts = new ArrayList<>();
        after.models.stream()
                .filter(e -> models.stream().noneMatch(e::isSameModel))
                .forEach(e -> parts.add(e.command().replaceFirst("\\s.*", "") + " " + e.name()));
        models.stream()
                .filter(e -> after.models.stream().noneMatch(e::isSameModel))
                .forEach(e -> parts.add("close " + e.name()));
        after.use.filter(name -> !use.equals(after.use)).ifPresent(name -> parts.add("use " + name));
        after.settings.forEach((name, value) -> {
            if (!value.equals(settings.get(name))) {
                parts.add("set " + name + " " + value);
            }
        });
        TreeMap<String, String> names = new TreeMap<>(aliases);
        names.putAll(after.aliases);
        names.keySet().stream()
                .filter(name ->
                        !Optional.ofNullable(aliases.get(name)).equals(Optional.ofNullable(after.aliases.get(name))))
                .forEach(name -> parts.add("alias " + name));
        return String.join(", ", parts);
    }

    SequencedMap<String, Object> toMap() {
        SequencedMap<String, Object> map = new LinkedHashMap<>();
        map.put("models", models.stream().map(WorkspaceState::map).toList());
        use.ifPresent(name -> map.put("use", name));
        map.put("settings", settings);
        map.put("aliases", aliases);
        return map;
    }

    private static Map<String, Object> map(Entry entry) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", entry.name());
        map.put("command", entry.command());
        List<Object> sources = new ArrayList<>();
        for (Source source : entry.sources()) {
            Map<String, Object> file = new LinkedHashMap<>();
            file.put("path", source.path());
            file.put("bytes", source.byteCount());
            file.put("modified_millis", source.modifiedMillis());
            sources.add(file);
        }
        map.put("sources", sources);
        return map;
    }

    /// **Errors.** [IllegalArgumentException] if `map` is not what [#toMap()] gives.
    static WorkspaceState of(Map<?, ?> map) {
        List<Entry> models = new ArrayList<>();
        for (Object model : list(map, "models")) {
            List<Source> sources = new ArrayList<>();
            for (Object file : list(object(model), "sources")) {
                sources.add(new Source(
                        text(object(file), "path"),
                        number(object(file), "bytes"),
                        number(object(file), "modified_millis")));
            }
            models.add(new Entry(text(object(model), "name"), text(object(model), "command"), sources));
        }
        Optional<String> use = map.containsKey("use") ? Optional.of(text(map, "use")) : Optional.empty();
        return new WorkspaceState(models, use, texts(map, "settings"), texts(map, "aliases"));
    }

    private static TreeMap<String, String> texts(Map<?, ?> map, String key) {
        TreeMap<String, String> texts = new TreeMap<>();
        Map<?, ?> values = object(map.get(key));
        values.keySet().forEach(name -> texts.put(String.valueOf(name), text(values, String.valueOf(name))));
        return texts;
    }

    private static Map<?, ?> object(@Nullable Object value) {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw new IllegalArgumentException("an object is missing");
    }

    private static List<?> list(Map<?, ?> map, String key) {
        if (map.get(key) instanceof List<?> list) {
            return list;
        }
        throw new IllegalArgumentException("the list " + key + " is missing");
    }

    private static String text(Map<?, ?> map, String key) {
        if (map.get(key) instanceof String text) {
            return text;
        }
        throw new IllegalArgumentException("the text " + key + " is missing");
    }

    static long number(Map<?, ?> map, String key) {
        if (map.get(key) instanceof Integer number) {
            return number;
        }
        if (map.get(key) instanceof Long number) {
            return number;
        }
        throw new IllegalArgumentException("the number " + key + " is missing");
    }
}
