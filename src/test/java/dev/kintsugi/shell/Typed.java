package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;

/// Lines typed into shells, each time a new one, and all that was printed.
final class Typed {
    final StringWriter out = new StringWriter();
    final StringWriter err = new StringWriter();

    /// Runs `lines` in a shell of their own, and gives the status of the last.
    Status run(String... lines) {
        Console console = new Console(new PrintWriter(out), new PrintWriter(err), false, false, 100);
        Status status = Status.DONE;
        try (Shell shell = Shell.on(console)) {
            for (String line : lines) {
                status = shell.run(line);
            }
        }
        return status;
    }
}
