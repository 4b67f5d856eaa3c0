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
    /// How narrow columns of text should become at most, and may become if all of it does not fit otherwise.
    private static final int[] NARROW = {24, 12};

    private final String schema;
    private final SequencedMap<String, Object> facts = new LinkedHashMap<>();
    private final List<Column> columns = new ArrayList<>();
    private final List<List<Object>> rows = new ArrayList<>();
    private final List<Line> head = new ArrayList<>();
    private final List<Line> foot = new ArrayList<>();
    private String rowsKey = "rows";

    /// A column: its key in JSON, its title in text, how a value reads in text, and when text shows it.
    record Column(String key, String title, boolean right, Function<Object, String> text, Shown shown) {}

    /// When text shows a column; JSON and CSV have it always.
    enum Shown {
        ALWAYS,
        /// Where a row has something in it and the screen is wide enough; the last of these goes first.
        IF_ROOM,
        /// Where a row has something in it.
        IF_ANY,
        NEVER
    }

    /// A line of text; a drawing is never broken.
    private record Line(String text, boolean drawing) {
        void appendTo(StringBuilder text, Console console) {
            List<String> lines = drawing ? List.of(this.text) : console.folded(this.text);
            lines.forEach(l -> text.append(l).append('\n'));
        }
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
        head.add(new Line(Escape.text(text), false));
        return this;
    }

    /// Adds a line above the rows that is safe to print and may hold colours.
    Sheet painted(String text) {
        head.add(new Line(text, true));
        return this;
    }

    /// Adds a line of text below the rows.
    Sheet below(String text) {
        foot.add(new Line(Escape.text(text), false));
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

    /// Adds a column of numbers that text shows where they are not 0.
    Sheet count(String key, String title) {
        return add(key, title, true, v -> v instanceof Long n && n == 0 ? "" : plain(v))
                .ifAny();
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

    /// Adds a column of lists of real numbers, four digits in text.
    Sheet reals(String key, String title) {
        return add(
                key,
                title,
                false,
                v -> v instanceof List<?> list
                        ? String.join(
                                ", ",
                                list.stream()
                                        .map(x -> x instanceof Double d ? Units.real(d) : plain(x))
                                        .toList())
                        : plain(v));
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

    /// Leaves the last column out of text where no row has anything in it.
    Sheet ifAny() {
        return shown(Shown.IF_ANY);
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
        switch (console.format()) {
            case TABLE -> console.print(table(console));
            case JSON -> console.print(json() + "\n");
            case CSV -> console.print(csv());
        }
    }

    private String table(Console console) {
        StringBuilder text = new StringBuilder();
        head.forEach(l -> l.appendTo(text, console));
        if (!columns.isEmpty() && !rows.isEmpty()) {
            appendRows(text, console);
        }
        foot.forEach(l -> l.appendTo(text, console));
        return text.toString();
    }

    private void appendRows(StringBuilder text, Console console) {
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
                widths[i] = Math.max(widths[i], Fold.columns(line[i]));
            }
        });
        List<Integer> kept = fitting(cells, widths, console.width());
        if (kept.isEmpty()) {
            return;
        }
        if (console.isTerminal()) {
            narrow(kept, widths, console.width());
        }
        for (String[] line : cells) {
            appendRow(text, line, kept, widths);
        }
        appendOmitted(text, cells, kept, console);
    }

    /// A row, of several lines where cells are wider than their columns.
    private void appendRow(StringBuilder text, String[] cells, List<Integer> kept, int[] widths) {
        List<List<String>> folded =
                kept.stream().map(i -> Fold.cell(cells[i], widths[i])).toList();
        int lines = folded.stream().mapToInt(List::size).max().orElse(1);
        for (int line = 0; line < lines; line++) {
            StringBuilder out = new StringBuilder();
            for (int k = 0; k < kept.size(); k++) {
                Column column = columns.get(kept.get(k));
                String cell = line < folded.get(k).size() ? folded.get(k).get(line) : "";
                String pad = " ".repeat(widths[kept.get(k)] - Fold.columns(cell));
                out.append(k == 0 ? "" : "  ").append(column.right() ? pad + cell : cell + pad);
            }
            text.append(out.toString().stripTrailing()).append('\n');
        }
    }

    private List<Integer> fitting(List<String[]> cells, int[] widths, int screen) {
        List<Integer> kept = new ArrayList<>();
        for (int i = 0; i < widths.length; i++) {
            Shown shown = columns.get(i).shown();
            if (shown == Shown.ALWAYS || shown != Shown.NEVER && any(cells, i)) {
                kept.add(i);
            }
        }
        for (int i = widths.length - 1; i >= 0 && total(kept, widths) > screen; i--) {
            if (columns.get(i).shown() == Shown.IF_ROOM) {
                kept.remove(Integer.valueOf(i));
            }
        }
        return kept;
    }

    /// Whether a row has something in this column.
    private static boolean any(List<String[]> cells, int column) {
        return cells.stream().skip(1).anyMatch(line -> !line[column].isBlank());
    }

    private static int total(List<Integer> kept, int[] widths) {
        return kept.stream().mapToInt(i -> widths[i] + 2).sum() - 2;
    }

    /// Takes from the widest columns of text what the screen lacks, as long as they stay readable.
    private void narrow(List<Integer> kept, int[] widths, int screen) {
        for (int narrowest : NARROW) {
            narrow(kept, widths, screen, narrowest);
        }
    }

    private void narrow(List<Integer> kept, int[] widths, int screen, int narrowest) {
        for (int excess = total(kept, widths) - screen; excess > 0; excess--) {
            int widest = -1;
            for (int i : kept) {
                if (!columns.get(i).right() && (widest < 0 || widths[i] > widths[widest])) {
                    widest = i;
                }
            }
            if (widest < 0 || widths[widest] <= narrowest) {
                return;
            }
            widths[widest]--;
        }
    }

    private void appendOmitted(StringBuilder text, List<String[]> cells, List<Integer> kept, Console console) {
        List<String> omitted = new ArrayList<>();
        for (int i = 0; i < columns.size(); i++) {
            if (columns.get(i).shown() == Shown.IF_ROOM && !kept.contains(i) && any(cells, i)) {
                omitted.add(columns.get(i).title());
            }
        }
        if (!omitted.isEmpty()) {
            String all = "(no room for " + String.join(", ", omitted) + "; --format csv has all)";
            new Line(all, false).appendTo(text, console);
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
