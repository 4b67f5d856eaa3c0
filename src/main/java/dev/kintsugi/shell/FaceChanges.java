package dev.kintsugi.shell;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// How a fusion's `config.json` and tokenizer differ from those of the model it has them from.
///
/// @param configEdits the keys of `config.json` that hold no longer, with their new values as JSON
/// @param texts files that are others, by name
/// @param tokenizer whose tokenizer it has, if not that model's
/// @param notes what became of the models' tokens, for a person
record FaceChanges(
        Map<String, String> configEdits, Map<String, String> texts, Optional<Path> tokenizer, List<String> notes) {
    static final FaceChanges NONE = new FaceChanges(Map.of(), Map.of(), Optional.empty(), List.of());

    FaceChanges {
        configEdits = Map.copyOf(configEdits);
        texts = Map.copyOf(texts);
        notes = List.copyOf(notes);
    }

    /// The same with further edits.
    FaceChanges with(Map<String, String> moreEdits) {
        return new FaceChanges(merged(configEdits, moreEdits), texts, tokenizer, notes);
    }

    /// These on top of `earlier` ones.
    FaceChanges after(FaceChanges earlier) {
        return new FaceChanges(
                merged(earlier.configEdits, configEdits),
                tokenizer.isPresent() ? texts : merged(earlier.texts, texts),
                tokenizer.or(earlier::tokenizer),
                notes);
    }

    private static Map<String, String> merged(Map<String, String> first, Map<String, String> second) {
        Map<String, String> all = new LinkedHashMap<>(first);
        all.putAll(second);
        return all;
    }
}
