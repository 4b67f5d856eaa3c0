package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;

/// A shell whose output a test reads.
final class Transcript implements AutoCloseable {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Shell shell;

    private Transcript(boolean color, int width) {
        shell = Shell.on(new Console(new PrintWriter(out, true), new PrintWriter(err, true), color, color, width));
    }

    /// As in a pipe: no colour, 80 columns.
    static Transcript piped() {
        return new Transcript(false, 80);
    }

    /// As on a terminal of 80 columns with colour.
    static Transcript colored() {
        return new Transcript(true, 80);
    }

    /// Runs `line`, with what was printed before forgotten.
    Status run(String line) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        Status status = shell.run(line);
        return status;
    }

    /// Runs `line`, which must do what it says.
    String done(String line) {
        Status status = run(line);
        if (status != Status.DONE) {
            throw new AssertionError(line + ": " + status + "\n" + out + err);
        }
        return out();
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
