package dev.kintsugi.tokenizer;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The tokens of one tokenizer.
///
/// @param ids the number of each token, in the order of the file
/// @param added the settings, as JSON, of the tokens that were added to the model's own
/// @param modelCount how many tokens the model's own vocabulary has
/// @param texts the files that hold them, by name; what else a tokenizer consists of is not here
public record Tokens(
        SequencedMap<String, Long> ids, Map<String, String> added, long modelCount, Map<String, String> texts) {
    static final String TOKENIZER = "tokenizer.json";
    static final String CONFIG = "tokenizer_config.json";

    public Tokens {
        ids = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(ids));
        added = Collections.unmodifiableMap(new LinkedHashMap<>(added));
        texts = Map.copyOf(texts);
    }

    /// Those of the tokenizer in `directory`, of whose files `changed` holds other texts; nothing where it has
    /// no `tokenizer.json` and no `vocab.json`.
    ///
    /// **Errors.** [Fault] `K2305` where a file is damaged, `K5003` where it cannot be read.
    public static Optional<Tokens> read(Path directory, Map<String, String> changed) {
        Map<String, String> texts = new LinkedHashMap<>();
        Reader reader = new Reader();
        Optional<String> whole = text(directory, TOKENIZER, changed);
        if (whole.isPresent()) {
            texts.put(TOKENIZER, whole.get());
            reader.tokenizer(parse(directory.resolve(TOKENIZER), whole.get()));
        } else {
            Optional<String> vocabulary = text(directory, "vocab.json", changed);
            if (vocabulary.isEmpty()) {
                return Optional.empty();
            }
            reader.vocabulary(parse(directory.resolve("vocab.json"), vocabulary.get()));
            text(directory, "added_tokens.json", changed)
                    .ifPresent(t -> parse(directory.resolve("added_tokens.json"), t)
                            .forEachEntry((token, id) -> reader.add(token, id.asLong(-1), plain(token))));
        }
        text(directory, CONFIG, changed).ifPresent(t -> {
            texts.put(CONFIG, t);
            parse(directory.resolve(CONFIG), t)
                    .path("added_tokens_decoder")
                    .forEachEntry((id, token) ->
                            reader.add(token.path("content").asString(""), Long.parseLong(id), token.toString()));
        });
        return Optional.of(new Tokens(reader.ids, reader.added, reader.modelCount, texts));
    }

    /// The settings of a token that is added without any said.
    static String plain(String token) {
        return "{\"content\": " + quote(token)
                + ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": true, \"special\":"
                + " false}";
    }

    static String quote(String token) {
        return JsonMapper.shared().writeValueAsString(token);
    }

    private static final class Reader {
        private final SequencedMap<String, Long> ids = new LinkedHashMap<>();
        private final Map<String, String> added = new LinkedHashMap<>();
        private long modelCount;

        void tokenizer(JsonNode root) {
            JsonNode model = root.path("model").path("vocab");
            if (model.isArray()) {
                for (JsonNode entry : model) {
                    ids.putIfAbsent(entry.path(0).asString(""), modelCount++);
                }
            } else {
                vocabulary(model);
            }
            root.path("added_tokens")
                    .forEach(t ->
                            add(t.path("content").asString(""), t.path("id").asLong(-1), t.toString()));
        }

        void vocabulary(JsonNode model) {
            model.forEachEntry((token, id) -> {
                if (id.asLong(-1) >= 0) {
                    ids.put(token, id.asLong());
                    modelCount++;
                }
            });
        }

        void add(String token, long id, String settings) {
            if (id >= 0) {
                ids.putIfAbsent(token, id);
                added.putIfAbsent(token, settings);
            }
        }
    }

    private static Optional<String> text(Path directory, String name, Map<String, String> changed) {
        String other = changed.get(name);
        if (other != null) {
            return Optional.of(other);
        }
        Path file = directory.resolve(name);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            Limit.TOKENIZER_BYTES.checkSize(file, Code.K2305);
            return Optional.of(Files.readString(file));
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    file + ": cannot be read",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    private static JsonNode parse(Path file, String text) {
        try {
            JsonNode root = ForeignJson.tree(text);
            if (root.isObject()) {
                return root;
            }
        } catch (JacksonException e) {
            throw damaged(file, e.getOriginalMessage(), e);
        }
        throw damaged(file, "it is no JSON object", new IllegalArgumentException("no object"));
    }

    private static Fault damaged(Path file, String why, Exception cause) {
        return new Fault(
                Code.K2305,
                file + ": no usable JSON: " + why,
                "the file was cut short, or is something else",
                "copy it again, or give another directory with --sidecars DIR",
                cause);
    }
}
