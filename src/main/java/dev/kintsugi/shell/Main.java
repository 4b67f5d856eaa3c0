package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.util.ArrayList;
import java.util.List;

/// The program: a prompt without arguments, one command with them, `-c LINE` for a line of several.
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        List<String> words = new ArrayList<>(List.of(arguments));
        boolean debug = words.remove("--debug");
        Console console = Console.ofProcess(System.out, System.err, System.getenv());
        Status status;
        try (Shell shell = Shell.on(console)) {
            shell.session().debugging(debug);
            status = run(shell, words);
        }
        console.out().flush();
        console.err().flush();
        System.exit(status.exitCode());
    }

    private static Status run(Shell shell, List<String> words) {
        if (words.isEmpty()) {
            return Prompt.run(shell);
        }
        Thread hook = Interrupts.cancelOnSignal(shell.session());
        try {
            if (words.getFirst().equals("-c") && words.size() == 2) {
                return shell.run(words.get(1));
            }
            boolean recipe = words.getFirst().endsWith(".rsh")
                    && shell.dispatcher().find(words.getFirst()).isEmpty();
            if (recipe) {
                words.addFirst("run");
            }
            return shell.runWords(words);
        } finally {
            Interrupts.remove(hook);
        }
    }
}
