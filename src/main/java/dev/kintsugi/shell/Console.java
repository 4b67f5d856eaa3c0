package dev.kintsugi.shell;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/// Where results and messages go, and what the reader's screen can show.
final class Console {
    private static final Pattern CODES = Pattern.compile("\u001b\\[[0-9;]*m");

    private PrintWriter out;
    private final PrintWriter err;
    private final boolean terminal;
    private final boolean color;
    private int width;
    private int height = Integer.MAX_VALUE;
    private Optional<Pager> pager = Optional.empty();
    private OutputFormat format = OutputFormat.TABLE;

    Console(PrintWriter out, PrintWriter err, boolean terminal, boolean color, int width) {
        this.out = out;
        this.err = err;
        this.terminal = terminal;
        this.color = color;
        this.width = width;
    }

    /// On the process's own streams; colour and motion only on a terminal that has not declined them.
    static Console ofProcess(PrintStream out, PrintStream err, Map<String, String> environment) {
        boolean terminal = System.console() != null && System.console().isTerminal();
        boolean plain = environment.containsKey("NO_COLOR") || "dumb".equals(environment.get("TERM"));
        return new Console(
                new PrintWriter(out, true, StandardCharsets.UTF_8),
                new PrintWriter(err, true, StandardCharsets.UTF_8),
                terminal && !"dumb".equals(environment.get("TERM")),
                terminal && !plain,
                100);
    }

    PrintWriter out() {
        return out;
    }

    /// Runs `task` without printing its results; messages are printed.
    <T> T withoutResults(Supplier<T> task) {
        PrintWriter before = out;
        out = new PrintWriter(Writer.nullWriter());
        try {
            return task.get();
        } finally {
            out = before;
        }
    }

    PrintWriter err() {
        return err;
    }

    /// Whether a person sits before it.
    boolean isTerminal() {
        return terminal;
    }

    boolean hasColor() {
        return color;
    }

    int width() {
        return width;
    }

    void width(int columns) {
        width = Math.max(40, columns);
    }

    void height(int lines) {
        height = lines;
    }

    /// What is longer than the screen is shown by `shower`.
    void pager(Pager shower) {
        pager = Optional.of(shower);
    }

    /// Prints without stopping at the end of the screen until the result is closed.
    Unpaged unpaged() {
        Optional<Pager> before = pager;
        pager = Optional.empty();
        return () -> pager = before;
    }

    /// Pages again when closed.
    interface Unpaged extends AutoCloseable {
        @Override
        void close();
    }

    /// Prints lines of results; on a terminal too long for the screen, page by page.
    void print(String text) {
        out.flush();
        boolean shown = !text.isEmpty()
                && pager.isPresent()
                && screenLines(text) >= height
                && pager.get().show(text);
        if (!shown) {
            out.print(text);
            out.flush();
        }
    }

    private long screenLines(String text) {
        return text.lines()
                .mapToLong(l -> 1 + Math.max(0, Fold.columns(CODES.matcher(l).replaceAll("")) - 1) / width)
                .sum();
    }

    /// `line` as the screen shows it: broken between words on a terminal, as it is in a pipe.
    List<String> folded(String line) {
        return terminal ? Fold.line(line, width) : List.of(line);
    }

    /// Prints a line of a message.
    void message(String line) {
        folded(line).forEach(err::println);
        err.flush();
    }

    OutputFormat format() {
        return format;
    }

    void format(OutputFormat wanted) {
        format = wanted;
    }

    void note(String text) {
        message("note: " + Escape.text(text));
    }

    void warn(String text) {
        labelled("33", "warning:", text);
    }

    /// Prints a message behind a coloured label.
    void labelled(String code, String label, String text) {
        List<String> lines = folded(label + " " + Escape.text(text));
        err.println(color(code, label) + lines.getFirst().substring(label.length()));
        lines.subList(1, lines.size()).forEach(err::println);
        err.flush();
    }

    String color(String code, String text) {
        return color ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
