package dev.kintsugi.tokenizer;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// A tokenizer with tokens of others added.
///
/// It keeps the numbers it had. New tokens get the numbers that `tokenizers` would give them, first the others'
/// own, then those that the others had added, model after model and by their numbers there: the same on every
/// run.
public final class TokenUnion {
    private final Tokens first;
    private final SequencedMap<String, Long> ids;
    private final SequencedMap<String, String> settings = new LinkedHashMap<>();
    private long next;

    private TokenUnion(Tokens first) {
        this.first = first;
        this.ids = new LinkedHashMap<>(first.ids());
        long greatestAdded = first.added().keySet().stream()
                .mapToLong(t -> first.ids().getOrDefault(t, -1L))
                .max()
                .orElse(-1);
        this.next = greatestAdded >= first.modelCount() ? greatestAdded + 1 : first.modelCount();
    }

    /// A tokenizer, and how many rows the embedding has that goes with it.
    public record Other(Tokens tokens, long rows) {
        /// Those that have a row, by number.
        private List<String> known() {
            return tokens.ids().entrySet().stream()
                    .filter(e -> e.getValue() < rows)
                    .sorted(Map.Entry.comparingByValue())
                    .map(Map.Entry::getKey)
                    .toList();
        }
    }

    /// `first` with the tokens of `others` that have a row, then with `more`.
    public static TokenUnion of(Tokens first, List<Other> others, Collection<String> more) {
        TokenUnion union = new TokenUnion(first);
        for (Other other : others) {
            other.known().stream()
                    .filter(t ->
                            others.stream().noneMatch(o -> o.tokens().added().containsKey(t)))
                    .forEach(union::addPlain);
        }
        for (Other other : others) {
            Map<String, String> added = other.tokens().added();
            other.known().stream().filter(added::containsKey).forEach(t -> union.add(t, added.getOrDefault(t, "")));
        }
        more.forEach(union::addPlain);
        return union;
    }

    private void addPlain(String token) {
        if (!ids.containsKey(token)) {
            add(token, Tokens.plain(token));
        }
    }

    private void add(String token, String said) {
        if (first.added().containsKey(token) || settings.containsKey(token)) {
            return;
        }
        settings.put(token, said);
        if (!ids.containsKey(token)) {
            ids.put(token, next++);
        }
    }

    /// The number of each token.
    public SequencedMap<String, Long> ids() {
        return Collections.unmodifiableSequencedMap(ids);
    }

    /// The tokens that the first did not have.
    public List<String> added() {
        return settings.keySet().stream()
                .filter(t -> !first.ids().containsKey(t))
                .toList();
    }

    /// The files that change, by name; none where nothing was added.
    ///
    /// **Errors.** [Fault] `K7003` where the first tokenizer cannot hold the tokens under their numbers.
    public Map<String, String> texts() {
        if (settings.isEmpty()) {
            return Map.of();
        }
        String tokenizer = first.text(Tokens.TOKENIZER)
                .orElseThrow(() -> refused("it has no tokenizer.json, and no other file is written here"));
        long greatest =
                first.ids().values().stream().mapToLong(Long::longValue).max().orElse(-1);
        if (!added().isEmpty() && ids.getOrDefault(added().getFirst(), 0L) <= greatest) {
            throw refused("its numbers have gaps: they go up to " + greatest + ", and the next it would give is "
                    + ids.get(added().getFirst()));
        }
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put(
                Tokens.TOKENIZER,
                append(
                        tokenizer,
                        "added_tokens",
                        settings.entrySet().stream()
                                .map(e -> "{\"id\": " + ids.get(e.getKey()) + ", " + members(e.getValue()))
                                .toList()));
        String config = first.text(Tokens.CONFIG).orElse("");
        if (config.contains("\"added_tokens_decoder\"")) {
            texts.put(
                    Tokens.CONFIG,
                    append(
                            config,
                            "added_tokens_decoder",
                            settings.entrySet().stream()
                                    .map(e -> "\"" + ids.get(e.getKey()) + "\": {" + members(e.getValue()))
                                    .toList()));
        }
        return texts;
    }

    private static Fault refused(String why) {
        return new Fault(
                Code.K7003,
                "tokens cannot be added to the tokenizer",
                why,
                "write it anew with transformers' save_pretrained, or give tokenizer: {source: base}");
    }

    /// What stands behind the brace of `settings`, without a number.
    private static String members(String settings) {
        return settings.replaceFirst("^\\{\\s*\"id\"\\s*:\\s*\\d+\\s*,\\s*", "{")
                .substring(1);
    }

    /// `text` with `members` put last into the list or object under `key` at the top; other characters stay.
    private static String append(String text, String key, List<String> members) {
        List<String> all = new ArrayList<>(members);
        try (JsonParser parser = JsonFactory.builder().build().createParser(ObjectReadContext.empty(), text)) {
            int depth = 0;
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
                if (token != JsonToken.PROPERTY_NAME
                        || depth != 1
                        || !parser.currentName().equals(key)) {
                    continue;
                }
                if (!parser.nextToken().isStructStart()) {
                    break;
                }
                parser.skipChildren();
                int last = (int) parser.currentLocation().getCharOffset() - 2;
                while (Character.isWhitespace(text.charAt(last))) {
                    last--;
                }
                boolean empty = text.charAt(last) == '[' || text.charAt(last) == '{';
                return new StringBuilder(text)
                        .insert(last + 1, (empty ? "" : ",") + "\n    " + String.join(",\n    ", all))
                        .toString();
            }
        }
        throw refused("its file has no list under " + key);
    }
}
