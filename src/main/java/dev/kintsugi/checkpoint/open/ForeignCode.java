package dev.kintsugi.checkpoint.open;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Tells of configuration files that name Python of their own, which loaders run if they are allowed to.
///
/// **Source.** `transformers/dynamic_module_utils.py` (`auto_map`), `transformers/pipelines/__init__.py`
/// (`custom_pipelines`).
final class ForeignCode {
    private static final List<String> FILES =
            List.of("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json");
    private static final List<String> KEYS = List.of("auto_map", "custom_pipelines", "trust_remote_code");
    private static final int MAX_SHOWN = 120;

    private ForeignCode() {}

    /// One note for each file of `sidecars` that does. A file that cannot be read is for those to refuse who need it.
    static List<Note> notes(Optional<Path> sidecars) {
        List<Note> notes = new ArrayList<>();
        sidecars.ifPresent(directory -> FILES.forEach(name -> {
            List<String> named = named(read(directory.resolve(name)));
            if (!named.isEmpty()) {
                notes.add(Note.information(
                        name + " names code of its own (" + String.join("; ", named) + "); it is copied, never run"));
            }
        }));
        return notes;
    }

    private static List<String> named(Optional<JsonNode> config) {
        List<String> named = new ArrayList<>();
        for (String key : KEYS) {
            config.map(c -> c.path(key)).filter(ForeignCode::saysSomething).ifPresent(value -> {
                String text = value.toString();
                named.add(key + ": " + (text.length() > MAX_SHOWN ? text.substring(0, MAX_SHOWN) + "…" : text));
            });
        }
        return named;
    }

    private static boolean saysSomething(JsonNode value) {
        return value.isContainer() ? !value.isEmpty() : value.isString() || value.isBoolean() && value.asBoolean();
    }

    private static Optional<JsonNode> read(Path file) {
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            Limit.JSON_BYTES.checkSize(file, Code.K2305);
            return Optional.of(ForeignJson.tree(Files.readAllBytes(file)));
        } catch (IOException | JacksonException | Fault e) {
            return Optional.empty();
        }
    }
}
