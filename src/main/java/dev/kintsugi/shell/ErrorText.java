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
        err.println(console.color("31", "error[" + fault.code() + "]:") + " " + shown(fault.what()));
        if (!fault.why().isEmpty()) {
            err.println("  why: " + shown(fault.why()));
        }
        if (!fault.next().isEmpty()) {
            err.println("  try: " + shown(fault.next()));
        }
        if (trace) {
            StringWriter text = new StringWriter();
            fault.printStackTrace(new PrintWriter(text));
            text.toString().lines().forEach(line -> err.println(shown(line.replace("\t", "    "))));
        }
        err.flush();
    }

    /// Safe to print, and no more than fits on a screen: a name in a file may be as long as the file.
    private static String shown(String text) {
        if (text.length() <= MAX_SHOWN) {
            return Escape.text(text);
        }
        return Escape.text(text.substring(0, MAX_SHOWN / 2)) + " … "
                + Escape.text(text.substring(text.length() - MAX_SHOWN / 4)) + " (" + text.length() + " characters)";
    }
}
