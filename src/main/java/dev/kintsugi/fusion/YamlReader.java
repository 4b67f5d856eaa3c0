package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads the YAML that merge configurations are written in: block and flow maps and lists, plain and quoted
/// words, comments. Values come as `Map<String, Object>`, `List<Object>`, `String`; an empty value is the
/// empty string.
///
/// **Errors.** [Fault] `K7006` with the line for anchors, tags, block text, tabs and whatever else is not
/// understood; nothing is guessed.
final class YamlReader {
    private record Line(int number, int indent, String text) {}

    private final List<Line> lines;
    private int at;

    private YamlReader(List<Line> lines) {
        this.lines = lines;
    }

    /// The documents of `text`, which lines of `---` part.
    static List<Object> documents(String text) {
        List<Object> documents = new ArrayList<>();
        List<Line> lines = new ArrayList<>();
        int number = 0;
        for (String raw : text.split("\n", -1)) {
            number++;
            String line = withoutComment(raw.endsWith("\r") ? raw.substring(0, raw.length() - 1) : raw);
            String content = line.strip();
            if (content.equals("...")) {
                throw fault(number, "ends its document with ...", "leave that line out");
            }
            if (content.equals("---")) {
                if (!lines.isEmpty()) {
                    documents.add(read(lines));
                }
                lines = new ArrayList<>();
                continue;
            }
            if (content.isEmpty()) {
                continue;
            }
            int indent = line.length() - line.stripLeading().length();
            if (line.substring(0, indent).contains("\t")) {
                throw fault(number, "is indented with tabs", "indent with spaces");
            }
            lines.add(new Line(number, indent, content));
        }
        if (!lines.isEmpty()) {
            documents.add(read(lines));
        }
        if (documents.isEmpty()) {
            throw fault(1, "is empty", "give a configuration with merge_method and models");
        }
        return documents;
    }

    private static Object read(List<Line> lines) {
        YamlReader reader = new YamlReader(lines);
        Object value = reader.block(lines.getFirst().indent());
        if (reader.at < lines.size()) {
            throw fault(lines.get(reader.at).number(), "is indented otherwise than those before", "align it");
        }
        return value;
    }

    private static Fault fault(int line, String what, String next) {
        return new Fault(
                Code.K7006,
                "line " + line + " of the merge configuration " + what,
                "it is no YAML of the kind read",
                next);
    }

    /// The line up to a `#` that stands at its beginning or after a blank, outside of quotes.
    private static String withoutComment(String line) {
        char quote = 0;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (quote != 0) {
                quote = c == quote ? 0 : quote;
            } else if ((c == '"' || c == '\'') && (i == 0 || " [{,:".indexOf(line.charAt(i - 1)) >= 0)) {
                quote = c;
            } else if (c == '#' && (i == 0 || Character.isWhitespace(line.charAt(i - 1)))) {
                return line.substring(0, i);
            }
        }
        return line;
    }

    private Object block(int indent) {
        String text = lines.get(at).text();
        return text.equals("-") || text.startsWith("- ") ? list(indent) : map(indent);
    }

    private List<Object> list(int indent) {
        List<Object> items = new ArrayList<>();
        while (at < lines.size() && lines.get(at).indent() == indent) {
            Line line = lines.get(at);
            if (!line.text().equals("-") && !line.text().startsWith("- ")) {
                break;
            }
            String rest = line.text().substring(1).strip();
            if (rest.isEmpty()) {
                at++;
                items.add(nested(indent));
            } else if (keyEnd(rest) >= 0 && rest.charAt(0) != '{' && rest.charAt(0) != '[') {
                int inner = indent + line.text().indexOf(rest, 1);
                lines.set(at, new Line(line.number(), inner, rest));
                items.add(block(inner));
            } else {
                at++;
                items.add(inline(rest, line));
            }
        }
        return items;
    }

    private Map<String, Object> map(int indent) {
        Map<String, Object> entries = new LinkedHashMap<>();
        while (at < lines.size() && lines.get(at).indent() == indent) {
            Line line = lines.get(at);
            int end = keyEnd(line.text());
            if (end < 0) {
                throw fault(line.number(), "has no key: " + line.text(), "write key: value");
            }
            String key = word(line.text().substring(0, end).strip(), line);
            String rest = line.text().substring(end + 1).strip();
            at++;
            if (entries.put(key, rest.isEmpty() ? nested(indent) : inline(rest, line)) != null) {
                throw fault(line.number(), "gives " + key + " a second time", "keep one");
            }
        }
        return entries;
    }

    /// What belongs to a key or dash that ended its line. A list may stand at the key's own indent.
    private Object nested(int indent) {
        if (at < lines.size()) {
            Line next = lines.get(at);
            boolean dashed = next.text().equals("-") || next.text().startsWith("- ");
            if (next.indent() > indent || (next.indent() == indent && dashed)) {
                return block(next.indent());
            }
        }
        return "";
    }

    private static int keyEnd(String text) {
        char quote = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quote != 0) {
                quote = c == quote ? 0 : quote;
            } else if (i == 0 && (c == '"' || c == '\'')) {
                quote = c;
            } else if (c == ':' && (i + 1 == text.length() || text.charAt(i + 1) == ' ')) {
                return i;
            }
        }
        return -1;
    }

    private static Object inline(String text, Line line) {
        Flow flow = new Flow(text, line);
        Object value = flow.value("");
        flow.skipBlanks();
        if (flow.position < text.length()) {
            throw fault(line.number(), "holds more than a value: " + text, "quote it");
        }
        return value;
    }

    private static String word(String text, Line line) {
        if (text.length() >= 2 && (text.startsWith("\"") || text.startsWith("'"))) {
            char quote = text.charAt(0);
            if (text.charAt(text.length() - 1) != quote || text.contains("\\")) {
                throw fault(line.number(), "holds a quoted word that is not understood: " + text, "write it plainly");
            }
            return text.substring(1, text.length() - 1).replace("''", "'");
        }
        if (!text.isEmpty() && "&*!|>%@`".indexOf(text.charAt(0)) >= 0 && !text.equals("*")) {
            throw fault(line.number(), "uses what is not read here: " + text, "write the value plainly or quote it");
        }
        return text.equals("~") || text.equals("null") ? "" : text;
    }

    /// A value within one line.
    private static final class Flow {
        private final String text;
        private final Line line;
        private int position;
        private int depth;

        Flow(String text, Line line) {
            this.text = text;
            this.line = line;
        }

        void skipBlanks() {
            while (position < text.length() && text.charAt(position) == ' ') {
                position++;
            }
        }

        Object value(String stops) {
            skipBlanks();
            char c = position < text.length() ? text.charAt(position) : 0;
            if (c != '[' && c != '{') {
                return plain(stops);
            }
            depth++;
            Limit.JSON_DEPTH.check(
                    depth,
                    Code.K7006,
                    () -> "line " + line.number() + " of the merge configuration nests " + depth + " deep");
            Object value = c == '[' ? list() : map();
            depth--;
            return value;
        }

        private List<Object> list() {
            List<Object> items = new ArrayList<>();
            position++;
            while (!closes(']')) {
                items.add(value(",]"));
                separator(']');
            }
            return items;
        }

        private Map<String, Object> map() {
            Map<String, Object> entries = new LinkedHashMap<>();
            position++;
            while (!closes('}')) {
                String key = plain(":,}");
                if (position >= text.length() || text.charAt(position) != ':') {
                    throw fault(line.number(), "has a map without values: " + text, "write {key: value}");
                }
                position++;
                entries.put(key, value(",}"));
                separator('}');
            }
            return entries;
        }

        private boolean closes(char end) {
            skipBlanks();
            if (position >= text.length()) {
                throw fault(line.number(), "ends before its " + end, "keep lists and maps in braces on one line");
            }
            if (text.charAt(position) == end) {
                position++;
                return true;
            }
            return false;
        }

        private void separator(char end) {
            skipBlanks();
            if (position < text.length() && text.charAt(position) == ',') {
                position++;
            } else if (position >= text.length() || text.charAt(position) != end) {
                throw fault(line.number(), "lacks a comma or " + end + ": " + text, "close it");
            }
        }

        private String plain(String stops) {
            skipBlanks();
            int start = position;
            char quote = position < text.length() ? text.charAt(position) : 0;
            if (quote == '"' || quote == '\'') {
                position = text.indexOf(quote, position + 1) + 1;
                if (position == 0) {
                    throw fault(line.number(), "has no closing quote: " + text, "close it");
                }
                String quoted = word(text.substring(start, position), line);
                skipBlanks();
                return quoted;
            }
            while (position < text.length() && stops.indexOf(text.charAt(position)) < 0) {
                position++;
            }
            return word(text.substring(start, position).strip(), line);
        }
    }
}
