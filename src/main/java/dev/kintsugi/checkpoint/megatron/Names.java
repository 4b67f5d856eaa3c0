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
    private final List<Rename> grouped = new ArrayList<>();
    private final List<Rename> renames = new ArrayList<>();

    private Names(JsonNode document) {
        document.path("ignored").forEach(p -> ignored.add(new NamePattern(p.asString())));
        document.path("grouped-experts").forEach(r -> grouped.add(rename(r)));
        document.path("renames").forEach(r -> renames.add(rename(r)));
    }

    private static Rename rename(JsonNode rule) {
        return new Rename(
                new NamePattern(rule.path("from").asString()), rule.path("to").asString());
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
        return renamed(renames, name);
    }

    /// What each expert's part of the tensor `canonicalName` is called, with a hole `{expert}`, where that tensor is
    /// those of all experts of a rank.
    Optional<String> ofExperts(String canonicalName) {
        return renamed(grouped, canonicalName);
    }

    private static Optional<String> renamed(List<Rename> rules, String name) {
        for (Rename rename : rules) {
            Optional<Map<String, String>> match = rename.from().match(name);
            if (match.isPresent()) {
                return Optional.of(NamePattern.fill(rename.to(), match.get()));
            }
        }
        return Optional.empty();
    }
}
