package dev.kintsugi.checkpoint.megatron;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// The names in the files as Megatron-Core spells them today, and which of them are no weights (`names.json`).
final class Names {
    private static final int MAX_RENAMES = 8;

    private record Rename(NamePattern from, String to) {}

    private final List<NamePattern> ignored = new ArrayList<>();
    private final List<Rename> renames = new ArrayList<>();

    private Names(JsonNode document) {
        document.path("ignored").forEach(p -> ignored.add(new NamePattern(p.asString())));
        document.path("renames")
                .forEach(r -> renames.add(new Rename(
                        new NamePattern(r.path("from").asString()), r.path("to").asString())));
    }

    static Names load() {
        return new Names(JsonFile.resource("names").orElseThrow());
    }

    /// Whether the entry `name` is by its name no part of the model.
    boolean ignores(String name) {
        return ignored.stream().anyMatch(p -> p.match(name).isPresent());
    }

    /// `name` without wrapper prefixes and older spellings; layer and expert numbers stay as they are.
    String canonical(String name) {
        String current = name;
        for (int i = 0; i < MAX_RENAMES; i++) {
            Optional<String> next = renamed(current);
            if (next.isEmpty()) {
                return current;
            }
            current = next.get();
        }
        return current;
    }

    private Optional<String> renamed(String name) {
        for (Rename rename : renames) {
            Optional<Map<String, String>> match = rename.from().match(name);
            if (match.isPresent()) {
                return Optional.of(NamePattern.fill(rename.to(), match.get()));
            }
        }
        return Optional.empty();
    }
}
