package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;

/// A shell on a screen of 80 columns, with colour as on a terminal or without as in a pipe.
final class Screen implements AutoCloseable {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Shell shell;

    private Screen(boolean color, int width) {
        shell = Shell.on(console(color, width));
    }

    private Screen(boolean color, int width, Path home) {
        shell = Shell.on(console(color, width), Typescript.places(home));
    }

    private Console console(boolean color, int width) {
        return new Console(new PrintWriter(out, true), new PrintWriter(err, true), color, color, width);
    }

    /// As in a pipe: no colour, 80 columns.
    static Screen piped() {
        return new Screen(false, 80);
    }

    /// The same, with the shell's own files below `home`.
    static Screen piped(Path home) {
        return new Screen(false, 80, home);
    }

    /// As on a terminal of 80 columns with colour, with the shell's own files below `home`.
    static Screen colored(Path home) {
        return new Screen(true, 80, home);
    }

    /// As on a terminal of 80 columns with colour.
    static Screen colored() {
        return new Screen(true, 80);
    }

    /// Runs `line`, with what was printed before forgotten.
    Status run(String line) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return shell.run(line);
    }

    /// Runs `line`, which must do what it says.
    String done(String line) {
        Status status = run(line);
        if (status != Status.DONE) {
            throw new AssertionError(line + ": " + status + "\n" + out + err);
        }
        return out();
    }

    /// An open model.
    Model shellModel(String name) {
        return shell.session().model(name);
    }

    Shell shell() {
        return shell;
    }

    String out() {
        return out.toString();
    }

    String err() {
        return err.toString();
    }

    @Override
    public void close() {
        shell.close();
    }
}
