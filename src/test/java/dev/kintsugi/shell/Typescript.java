package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.Map;

/// A shell whose results and messages are kept as one text, with the lines that were run.
final class Typescript implements AutoCloseable {
    private final StringWriter text = new StringWriter();
    private final PrintWriter writer = new PrintWriter(text, true);
    private final Shell shell;

    /// A shell whose own files are all below `home`.
    Typescript(Path home) {
        this(home, false);
    }

    Typescript(Path home, boolean terminal) {
        Console console = new Console(writer, writer, terminal, false, 80);
        shell = Shell.on(console, places(home));
    }

    static Places places(Path home) {
        return new Places(
                Map.of(
                        "XDG_STATE_HOME", home.resolve("state").toString(),
                        "XDG_CONFIG_HOME", home.resolve("config").toString()),
                home);
    }

    Shell shell() {
        return shell;
    }

    Workspace workspace() {
        return shell.session().workspace();
    }

    /// Runs `line`, and keeps it after a `> `.
    Status run(String line) {
        writer.println("> " + line);
        return shell.run(line);
    }

    /// Runs `line`; what it printed.
    String printed(String line) {
        int before = text.getBuffer().length();
        shell.run(line);
        return text.getBuffer().substring(before);
    }

    /// What was printed so far, `hidden` replaced by `…`; then forgets it.
    String take(Path hidden) {
        String all = text.toString().replace(hidden.toAbsolutePath().toString(), "…");
        text.getBuffer().setLength(0);
        return all;
    }

    @Override
    public void close() {
        shell.close();
    }
}
