package dev.kintsugi.tokenizer;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.databind.json.JsonMapper;

/// The tokens of one tokenizer.
///
/// **Memory.** The tokens and their numbers; the files, which hold far more, are read piece by piece.
///
/// @param ids the number of each token
/// @param added the settings, as JSON, of the tokens that were added to the model's own
/// @param modelCount how many tokens the model's own vocabulary has
/// @param directory where the files are
/// @param changed those that have other texts, by name
public record Tokens(
        Map<String, Long> ids,
        Map<String, String> added,
        long modelCount,
        Path directory,
        Map<String, String> changed) {
    static final String TOKENIZER = "tokenizer.json";
    static final String CONFIG = "tokenizer_config.json";
    private static final String WHY = "the file was cut short, or is something else";
    private static final String NEXT = "copy it again, or give another directory with --sidecars DIR";
    private static final String VOCABULARY = "vocab.json";
    private static final String ADDED = "added_tokens.json";

    public Tokens {
        ids = Collections.unmodifiableMap(ids);
        added = Collections.unmodifiableMap(added);
        changed = Map.copyOf(changed);
    }

    /// Those of the tokenizer in `directory`, of whose files `changed` holds other texts; nothing where it has
    /// no `tokenizer.json` and no `vocab.json`.
    ///
    /// **Errors.** [Fault] `K2305` where a file is damaged, `K5003` where it cannot be read.
    public static Optional<Tokens> read(Path directory, Map<String, String> changed) {
        TokenReader reader = new TokenReader();
        boolean whole = parse(directory, changed, TOKENIZER, reader::tokenizer);
        if (!whole && !parse(directory, changed, VOCABULARY, reader::vocabulary)) {
            return Optional.empty();
        }
        if (!whole) {
            parse(directory, changed, ADDED, reader::addedTokens);
        }
        parse(directory, changed, CONFIG, reader::configuration);
        return Optional.of(new Tokens(reader.ids(), reader.added(), reader.modelCount(), directory, changed));
    }

    /// The text of one of its files, if it has that.
    Optional<String> text(String name) {
        String other = changed.get(name);
        if (other != null) {
            return Optional.of(other);
        }
        Path file = directory.resolve(name);
        try {
            if (!Files.isRegularFile(file)) {
                return Optional.empty();
            }
            Limit.TOKENIZER_BYTES.checkSize(file, Code.K2305);
            return Optional.of(Files.readString(file));
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static boolean parse(
            Path directory, Map<String, String> changed, String name, Consumer<JsonParser> reader) {
        Path file = directory.resolve(name);
        String other = changed.get(name);
        if (other == null && !Files.isRegularFile(file)) {
            return false;
        }
        try (Reader text = other == null ? open(file) : new StringReader(other);
                JsonParser parser = ForeignJson.factory().build().createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new Fault(Code.K2305, file + ": no JSON object", WHY, NEXT);
            }
            reader.accept(parser);
            return true;
        } catch (JacksonException e) {
            throw ForeignJson.fault(Code.K2305, file.toString(), e, WHY, NEXT);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static Reader open(Path file) throws IOException {
        Limit.TOKENIZER_BYTES.checkSize(file, Code.K2305);
        return Files.newBufferedReader(file);
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

    private static Fault unreadable(Path file, IOException e) {
        return new Fault(
                Code.K5003,
                file + ": cannot be read",
                "the system says: " + e.getMessage(),
                "check the path and its permissions",
                e);
    }
}
