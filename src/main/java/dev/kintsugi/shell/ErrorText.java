package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.PrintWriter;
import java.io.StringWriter;

/// A fault as a person reads it: what and where, why, what to try.
final class ErrorText {
    private static final int MAX_SHOWN = 2000;

    private ErrorText() {}

    static void print(Fault fault, Console console, boolean trace) {
        PrintWriter err = console.err();
        console.out().flush();
        if (fault.code() == Code.K9002 && console.isTerminal()) {
            err.println();
        }
        console.labelled("31", "error[" + fault.code() + "]:", cut(fault.what()));
        if (!fault.why().isEmpty()) {
            console.message("  why: " + shown(fault.why()));
        }
        if (!fault.next().isEmpty()) {
            console.message("  try: " + shown(fault.next()));
        }
        if (trace) {
            StringWriter text = new StringWriter();
            fault.printStackTrace(new PrintWriter(text));
            text.toString().lines().forEach(line -> err.println(shown(line.replace("\t", "    "))));
        }
        err.flush();
    }

    private static String shown(String text) {
        return Escape.text(cut(text));
    }

    /// No more than fits on a screen: a name in a file may be as long as the file.
    private static String cut(String text) {
        if (text.length() <= MAX_SHOWN) {
            return text;
        }
        return text.substring(0, MAX_SHOWN / 2) + " … " + text.substring(text.length() - MAX_SHOWN / 4) + " ("
                + text.length() + " characters)";
    }
}
