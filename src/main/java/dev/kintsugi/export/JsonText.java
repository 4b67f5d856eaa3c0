package dev.kintsugi.export;

import java.util.function.UnaryOperator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// Changes single values in JSON text and leaves every other character as it is.
final class JsonText {
    private static final JsonFactory JSON = new JsonFactory();

    private JsonText() {}

    /// `text` with the value of `key` replaced by `value`, or added first if there is none. A dot in `key` goes
    /// down into an object that is there.
    static String set(String text, String key, String value) {
        int dot = key.indexOf('.');
        if (dot > 0) {
            return replace(text, key.substring(0, dot), inner -> set(inner, key.substring(dot + 1), value), true);
        }
        String replaced = replace(text, key, value, true);
        if (!replaced.equals(text) || hasAtTop(text, key)) {
            return replaced;
        }
        int brace = text.indexOf('{');
        boolean empty = text.substring(brace + 1).stripLeading().startsWith("}");
        return text.substring(0, brace + 1) + "\n  \"" + key + "\": " + value + (empty ? "\n" : ",")
                + text.substring(brace + 1);
    }

    /// `text` with every string value of `key`, at any depth, replaced by `value`.
    static String replaceEverywhere(String text, String key, String value) {
        return replace(text, key, value, false);
    }

    private static boolean hasAtTop(String text, String key) {
        return !replace(text, key, "\u0000", true).equals(text);
    }

    private static String replace(String text, String key, String value, boolean top) {
        return replace(text, key, old -> value, top);
    }

    private static String replace(String text, String key, UnaryOperator<String> change, boolean top) {
        StringBuilder result = new StringBuilder();
        int copied = 0;
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), text)) {
            int depth = 0;
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token.isStructStart()) {
                    depth++;
                } else if (token.isStructEnd()) {
                    depth--;
                } else if (token == JsonToken.PROPERTY_NAME
                        && parser.currentName().equals(key)
                        && (!top || depth == 1)) {
                    JsonToken next = parser.nextToken();
                    if (!top && next != JsonToken.VALUE_STRING) {
                        depth += next.isStructStart() ? 1 : 0;
                        continue;
                    }
                    int start = (int) parser.currentTokenLocation().getCharOffset();
                    parser.getString();
                    parser.skipChildren();
                    int end = (int) parser.currentLocation().getCharOffset();
                    result.append(text, copied, start).append(change.apply(text.substring(start, end)));
                    copied = end;
                }
            }
        }
        return result.append(text, copied, text.length()).toString();
    }
}
