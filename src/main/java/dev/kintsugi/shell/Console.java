package dev.kintsugi.shell;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Supplier;

/// Where results and messages go, and what the reader's screen can show.
final class Console {
    private PrintWriter out;
    private final PrintWriter err;
    private final boolean terminal;
    private final boolean color;
    private int width;
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

    OutputFormat format() {
        return format;
    }

    void format(OutputFormat wanted) {
        format = wanted;
    }

    void note(String text) {
        err.println("note: " + Escape.text(text));
        err.flush();
    }

    void warn(String text) {
        err.println(color("33", "warning: ") + Escape.text(text));
        err.flush();
    }

    String color(String code, String text) {
        return color ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
