package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;

/// A shell whose output the test reads.
final class Transcript implements AutoCloseable {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Shell shell = Shell.on(new Console(new PrintWriter(out), new PrintWriter(err), false, false, 80));

    /// What a line ended with and printed.
    record Result(Status status, String out, String err) {}

    Result run(String line) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        Status status = shell.run(line);
        return new Result(status, out.toString(), err.toString());
    }

    Shell shell() {
        return shell;
    }

    @Override
    public void close() {
        shell.close();
    }
}
