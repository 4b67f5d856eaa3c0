package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.PrintWriter;

/// A fault as a person reads it: what and where, why, what to try.
final class ErrorText {
    private ErrorText() {}

    static void print(Fault fault, Console console, boolean trace) {
        PrintWriter err = console.err();
        console.out().flush();
        if (fault.code() == Code.K9002 && console.isTerminal()) {
            err.println();
        }
        console.labelled("31", "error[" + fault.code() + "]:", fault.what());
        if (!fault.why().isEmpty()) {
            console.message("  why: " + Escape.text(fault.why()));
        }
        if (!fault.next().isEmpty()) {
            console.message("  try: " + Escape.text(fault.next()));
        }
        if (trace) {
            fault.printStackTrace(err);
        }
        err.flush();
    }
}
