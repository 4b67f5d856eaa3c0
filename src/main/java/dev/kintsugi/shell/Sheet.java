package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;

/// What a command has to report: facts, and rows under columns. Prints as text, JSON or CSV.
///
/// JSON has a `schema` such as `kintsugi.tensors/1`, then the facts, then the rows as objects under their
/// name; numbers are raw, keys stable. CSV has the rows, or the facts where there are none.
final class Sheet {
    private final String schema;
    private final SequencedMap<String, Object> facts = new LinkedHashMap<>();
    private final List<Column> columns = new ArrayList<>();
    private final List<List<Object>> rows = new ArrayList<>();
    private final List<String> head = new ArrayList<>();
    private final List<String> foot = new ArrayList<>();
    private String rowsKey = "rows";

    /// A column: its key in JSON, its title in text, how a value reads in text, and when text shows it.
    record Column(String key, String title, boolean right, Function<Object, String> text, Shown shown) {}

    /// When text shows a column; JSON and CSV have it always.
    enum Shown {
        ALWAYS,
        /// Where the screen is wide enough; the last of these goes first.
        IF_ROOM,
        NEVER
    }

    private Sheet(String schema) {
        this.schema = schema;
    }

    /// A report of the kind `name`, version 1.
    static Sheet of(String name) {
        return new Sheet("kintsugi." + name + "/1");
    }

    /// Adds a fact for JSON and CSV; text shows the lines of [#line(String)] instead.
    Sheet fact(String key, Object value) {
        facts.put(key, value);
        return this;
    }

    /// Adds a line of text above the rows.
    Sheet line(String text) {
        head.add(Escape.text(text));
        return this;
    }

    /// Adds a line above the rows that is safe to print and may hold colours.
    Sheet painted(String text) {
        head.add(text);
        return this;
    }

    /// Adds a line of text below the rows.
    Sheet below(String text) {
        foot.add(Escape.text(text));
        return this;
    }

    Sheet rows(String key) {
        rowsKey = key;
        return this;
    }

    Sheet column(String key, String title) {
        return add(key, title, false, Sheet::plain);
    }

    Sheet number(String key, String title) {
        return add(key, title, true, v -> v instanceof Long n ? Units.exact(n) : plain(v));
    }

    Sheet bytes(String key, String title) {
        return add(key, title, true, v -> v instanceof Long n ? Units.bytes(n) : plain(v));
    }

    Sheet time(String key, String title) {
        return add(key, title, false, v -> v instanceof Long n ? Units.time(n) : plain(v));
    }

    /// Adds a column of real numbers, four digits in text.
    Sheet real(String key, String title) {
        return add(key, title, true, v -> v instanceof Double d ? Units.real(d) : plain(v));
    }

    private Sheet add(String key, String title, boolean right, Function<Object, String> text) {
        columns.add(new Column(
                key, title, right, v -> text.apply(v instanceof Optional<?> o ? whole(o) : v), Shown.ALWAYS));
        return this;
    }

    private static Object whole(Optional<?> value) {
        return value.isPresent() ? value.get() : "";
    }

    /// Leaves the last column out of text that would be wider than the screen with it.
    Sheet ifRoom() {
        return shown(Shown.IF_ROOM);
    }

    /// Leaves the last column out of text.
    Sheet dataOnly() {
        return shown(Shown.NEVER);
    }

    private Sheet shown(Shown when) {
        Column last = columns.removeLast();
        columns.add(new Column(last.key(), last.title(), last.right(), last.text(), when));
        return this;
    }

    /// Adds a row: a [String], [Long], [Integer], [Double], [Boolean], list or [Optional] of such for each
    /// column.
    Sheet row(Object... values) {
        if (values.length != columns.size()) {
            throw new IllegalArgumentException("a row has a value for each column");
        }
        rows.add(List.of(values));
        return this;
    }

    /// Whether there are no rows.
    boolean isEmpty() {
        return rows.isEmpty();
    }

    private static String plain(Object value) {
        if (value instanceof List<?> list) {
            return String.join(", ", list.stream().map(String::valueOf).toList());
        }
        if (value instanceof Optional<?> optional) {
            return plain(whole(optional));
        }
        return String.valueOf(value);
    }

    void print(Console console) {
        String text = switch (console.format()) {
            case TABLE -> table(console.width());
            case JSON -> json() + "\n";
            case CSV -> csv();
        };
        console.out().print(text);
        console.out().flush();
    }

    private String table(int screen) {
        StringBuilder text = new StringBuilder();
        head.forEach(l -> text.append(l).append('\n'));
        if (!columns.isEmpty() && !rows.isEmpty()) {
            appendRows(text, screen);
        }
        foot.forEach(l -> text.append(l).append('\n'));
        return text.toString();
    }

    private void appendRows(StringBuilder text, int screen) {
        List<String[]> cells = new ArrayList<>();
        cells.add(columns.stream().map(Column::title).toArray(String[]::new));
        for (List<Object> row : rows) {
            String[] line = new String[columns.size()];
            for (int i = 0; i < line.length; i++) {
                line[i] = Escape.text(columns.get(i).text().apply(row.get(i)));
            }
            cells.add(line);
        }
        int[] widths = new int[columns.size()];
        cells.forEach(line -> {
            for (int i = 0; i < line.length; i++) {
                widths[i] = Math.max(widths[i], line[i].codePointCount(0, line[i].length()));
            }
        });
        List<Integer> kept = fitting(widths, screen);
        for (String[] line : cells) {
            StringBuilder out = new StringBuilder();
            for (int i : kept) {
                String pad = " ".repeat(widths[i] - line[i].codePointCount(0, line[i].length()));
                out.append(out.isEmpty() ? "" : "  ").append(columns.get(i).right() ? pad + line[i] : line[i] + pad);
            }
            text.append(out.toString().stripTrailing()).append('\n');
        }
        appendOmitted(text, kept);
    }

    private List<Integer> fitting(int[] widths, int screen) {
        List<Integer> kept = new ArrayList<>();
        int total = -2;
        for (int i = 0; i < widths.length; i++) {
            if (columns.get(i).shown() != Shown.NEVER) {
                kept.add(i);
                total += widths[i] + 2;
            }
        }
        for (int i = widths.length - 1; i >= 0 && total > screen; i--) {
            if (columns.get(i).shown() == Shown.IF_ROOM) {
                kept.remove(Integer.valueOf(i));
                total -= widths[i] + 2;
            }
        }
        return kept;
    }

    private void appendOmitted(StringBuilder text, List<Integer> kept) {
        List<String> omitted = new ArrayList<>();
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i).shown() == Shown.IF_ROOM && !kept.contains(i)) {
                omitted.add(columns.get(i).title());
            }
        }
        if (!omitted.isEmpty()) {
            text.append("(no room for ").append(String.join(", ", omitted)).append("; --format csv has all)\n");
        }
    }

    private String json() {
        SequencedMap<String, Object> root = new LinkedHashMap<>();
        root.put("schema", schema);
        root.putAll(facts);
        if (!columns.isEmpty()) {
            List<Map<String, Object>> list = new ArrayList<>();
            for (List<Object> row : rows) {
                Map<String, Object> object = new LinkedHashMap<>();
                for (int i = 0; i < columns.size(); i++) {
                    object.put(columns.get(i).key(), row.get(i));
                }
                list.add(object);
            }
            root.put(rowsKey, list);
        }
        return Json.write(root);
    }

    private String csv() {
        StringBuilder text = new StringBuilder();
        if (columns.isEmpty()) {
            text.append("key,value\n");
            facts.forEach((key, value) -> text.append(cell(key))
                    .append(',')
                    .append(cell(plain(value)))
                    .append('\n'));
            return text.toString();
        }
        text.append(String.join(",", columns.stream().map(Column::key).toList()))
                .append('\n');
        for (List<Object> row : rows) {
            text.append(String.join(",", row.stream().map(v -> cell(plain(v))).toList()))
                    .append('\n');
        }
        return text.toString();
    }

    private static String cell(String value) {
        boolean quoted = value.chars().anyMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
        return quoted ? '"' + value.replace("\"", "\"\"") + '"' : value;
    }
}
