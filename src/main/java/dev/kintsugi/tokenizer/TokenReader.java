package dev.kintsugi.tokenizer;

import dev.kintsugi.io.ForeignJson;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;

/// Picks the tokens out of the files of a tokenizer. Each parser stands at the brace of its file.
final class TokenReader {
    private final Map<String, Long> ids = new LinkedHashMap<>();
    private final Map<String, String> added = new LinkedHashMap<>();
    private long modelCount;

    Map<String, Long> ids() {
        return ids;
    }

    Map<String, String> added() {
        return added;
    }

    long modelCount() {
        return modelCount;
    }

    /// `tokenizer.json`.
    void tokenizer(JsonParser parser) {
        members(parser, name -> {
            if (name.equals("model") && parser.currentToken() == JsonToken.START_OBJECT) {
                members(parser, inner -> {
                    if (inner.equals("vocab") && parser.currentToken() == JsonToken.START_ARRAY) {
                        scored(parser);
                    } else if (inner.equals("vocab") && parser.currentToken() == JsonToken.START_OBJECT) {
                        vocabulary(parser);
                    } else {
                        parser.skipChildren();
                    }
                });
            } else if (name.equals("added_tokens") && parser.currentToken() == JsonToken.START_ARRAY) {
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    JsonNode token = ForeignJson.value(parser);
                    add(token.path("content").asString(""), token.path("id").asLong(-1), token.toString());
                }
            } else {
                parser.skipChildren();
            }
        });
    }

    /// `vocab.json`: numbers by token.
    void vocabulary(JsonParser parser) {
        members(parser, token -> {
            if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT) {
                ids.put(token, parser.getLongValue());
                modelCount++;
            } else {
                parser.skipChildren();
            }
        });
    }

    /// Tokens with scores, numbered in their order.
    private void scored(JsonParser parser) {
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            JsonNode entry = ForeignJson.value(parser);
            ids.putIfAbsent(entry.path(0).asString(""), modelCount++);
        }
    }

    /// `added_tokens.json`: numbers by token.
    void addedTokens(JsonParser parser) {
        members(parser, token -> {
            if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT) {
                add(token, parser.getLongValue(), Tokens.plain(token));
            } else {
                parser.skipChildren();
            }
        });
    }

    /// `tokenizer_config.json`, which may know of tokens that were added later.
    void configuration(JsonParser parser) {
        members(parser, name -> {
            if (!name.equals("added_tokens_decoder") || parser.currentToken() != JsonToken.START_OBJECT) {
                parser.skipChildren();
                return;
            }
            members(parser, number -> {
                JsonNode token = ForeignJson.value(parser);
                if (number.matches("\\d{1,9}")) {
                    add(token.path("content").asString(""), Long.parseLong(number), token.toString());
                }
            });
        });
    }

    private void add(String token, long id, String settings) {
        if (id >= 0) {
            ids.putIfAbsent(token, id);
            added.putIfAbsent(token, settings);
        }
    }

    /// Calls `member` with each name of an object, the parser standing at its value, which it must consume.
    private static void members(JsonParser parser, Consumer<String> member) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            member.accept(name);
        }
    }
}
