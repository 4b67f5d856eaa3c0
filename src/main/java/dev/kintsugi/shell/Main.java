package dev.kintsugi.shell;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The program: a prompt without arguments, one command with them, `-c LINE` for a line of several.
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Console console = Console.ofProcess(System.out, System.err, System.getenv());
        Status status;
        try (Shell shell = Shell.on(console)) {
            status = run(shell, List.of(arguments));
        }
        console.out().flush();
        console.err().flush();
        System.exit(status.exitCode());
    }

    private static Status run(Shell shell, List<String> arguments) {
        Start start;
        try {
            start = Start.of(arguments);
        } catch (Fault fault) {
            ErrorText.print(fault, shell.session().console(), false);
            return fault.status();
        }
        shell.session().debug(start.debug());
        if (start.words().isEmpty()) {
            return Prompt.run(shell, start);
        }
        if (start.debug() == Debug.TIMING) {
            shell.session().console().err().println("timing: start-up " + Timing.sinceStart());
        }
        if (shell.session().console().isTerminal()) {
            Prompt.fit(shell.session().console());
        }
        Thread hook = Interrupts.cancelOnSignal(shell.session());
        try {
            return command(shell, start);
        } finally {
            Interrupts.remove(hook);
        }
    }

    /// Runs the command that the program was given, on the workspace it was given, if it was.
    static Status command(Shell shell, Start start) {
        List<String> words = new ArrayList<>(start.words());
        if (start.workspace().isPresent()) {
            Path directory = start.workspace().get();
            Status status = shell.session().console().withoutResults(() -> use(shell, directory));
            if (status != Status.DONE) {
                return status;
            }
        }
        if (words.getFirst().equals("-c") && words.size() == 2) {
            return shell.run(words.get(1));
        }
        boolean recipe = words.getFirst().endsWith(".rsh")
                && shell.dispatcher().find(words.getFirst()).isEmpty();
        if (recipe) {
            words.addFirst("run");
        }
        try {
            return shell.runWords(PathsAsModels.open(shell, words));
        } catch (PathsAsModels.Stopped stopped) {
            return stopped.status();
        }
    }

    /// Opens the workspace in `directory`, or begins one there.
    static Status use(Shell shell, Path directory) {
        boolean known = Files.exists(WorkspaceStore.file(directory));
        return shell.runWords(List.of("workspace", known ? "open" : "save", directory.toString()));
    }
}
