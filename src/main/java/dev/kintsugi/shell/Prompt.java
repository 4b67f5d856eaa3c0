package dev.kintsugi.shell;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jline.reader.Candidate;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.DefaultParser;
import org.jline.reader.impl.history.DefaultHistory;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Reads lines from a person and runs them.
///
/// Ctrl-C cancels the command that runs, and at the prompt says how to leave; Ctrl-D leaves. History survives.
final class Prompt {
    private static final String TEXT = "kintsugi> ";

    private Prompt() {}

    static Status run(Shell shell, Start start) {
        try (Terminal terminal = system()) {
            Console console = shell.session().console();
            if (console.isTerminal()) {
                console.pager(Pager.of(System.getenv()));
            }
            return on(terminal, shell, start);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Terminal system() throws IOException {
        return TerminalBuilder.builder().system(true).dumb(true).build();
    }

    /// Makes one command print as wide and as long as the terminal is that it runs on.
    static void fit(Console console) {
        try (Terminal terminal = system()) {
            size(terminal, console);
            console.pager(Pager.of(System.getenv()));
        } catch (IOException e) {
            console.warn("the size of the terminal is not known: " + e.getMessage());
        }
    }

    /// Reads from `terminal` until the person leaves. Before a person, not a pipe, the init file runs first
    /// and a workspace is kept.
    static Status on(Terminal terminal, Shell shell, Start start) {
        Console console = shell.session().console();
        size(terminal, console);
        terminal.handle(Terminal.Signal.WINCH, signal -> size(terminal, console));
        if (!console.isTerminal()) {
            Status opened = start.workspace().map(d -> Main.use(shell, d)).orElse(Status.DONE);
            return opened == Status.DONE ? loop(shell, reader(shell, terminal, Optional.empty()), terminal) : opened;
        }
        console.out()
                .println("kintsugi " + Release.VERSION + " · help lists the commands, Tab completes, Ctrl-D leaves");
        console.out().flush();
        init(shell, start);
        keep(shell, start);
        LineReader reader = reader(shell, terminal, historyFile(shell));
        reader.getHistory().attach(reader);
        reader.getHistory().forEach(entry -> shell.session().history().add(entry.line()));
        return loop(shell, reader, terminal);
    }

    private static void size(Terminal terminal, Console console) {
        if (terminal.getWidth() > 0) {
            console.width(terminal.getWidth());
        }
        if (terminal.getHeight() > 0) {
            console.height(terminal.getHeight());
        }
    }

    private static void init(Shell shell, Start start) {
        Path init = shell.session().workspace().places().init();
        if (start.init() && Files.isRegularFile(init)) {
            shell.runWords(List.of("run", init.toString()));
        }
    }

    /// Keeps a workspace: the one given, which is opened, or the usual one, of which is said what was open.
    private static void keep(Shell shell, Start start) {
        Workspace workspace = shell.session().workspace();
        if (start.workspace().isPresent()) {
            Main.use(shell, start.workspace().get());
            return;
        }
        try {
            workspace.begin(workspace.places().workspace());
            WorkspaceSheets.offer(workspace.offered()).ifPresent(shell.session().console()::note);
        } catch (Fault fault) {
            shell.session().console().warn(fault.what() + "; what is open is not saved; " + fault.next());
        }
    }

    static LineReader reader(Shell shell, Terminal terminal, Optional<Path> history) {
        DefaultParser parser = new DefaultParser();
        parser.setEofOnUnclosedQuote(true);
        parser.setEofOnEscapedNewLine(true);
        LineReaderBuilder builder = LineReaderBuilder.builder()
                .terminal(terminal)
                .appName("kintsugi")
                .parser(parser)
                .completer((reader, line, candidates) ->
                        complete(shell, line.line().substring(0, line.cursor()), candidates))
                .history(new DiscreetHistory())
                .variable(LineReader.LIST_MAX, 200)
                .variable(LineReader.SECONDARY_PROMPT_PATTERN, "%P ... ")
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .option(LineReader.Option.AUTO_FRESH_LINE, true)
                .option(LineReader.Option.HISTORY_INCREMENTAL, true);
        history.ifPresent(file -> builder.variable(LineReader.HISTORY_FILE, file));
        return builder.build();
    }

    /// Lines typed before, without those that may hold a secret.
    private static final class DiscreetHistory extends DefaultHistory {
        @Override
        public void add(Instant time, String line) {
            if (!Secrets.mayHold(line)) {
                super.add(time, line);
            }
        }
    }

    /// The file of lines typed before, in the workspace; none if it cannot be made.
    private static Optional<Path> historyFile(Shell shell) {
        Workspace workspace = shell.session().workspace();
        Path directory = workspace.directory().orElseGet(workspace.places()::workspace);
        return HistoryFile.in(directory, shell.session().console());
    }

    static void complete(Shell shell, String typed, List<Candidate> candidates) {
        List<List<Tokenizer.Word>> commands = Tokenizer.typed(typed).commands();
        List<Tokenizer.Word> last = commands.isEmpty() ? List.of() : commands.getLast();
        List<String> words =
                new ArrayList<>(last.stream().map(Tokenizer.Word::text).toList());
        boolean between = typed.isEmpty() || !last.isEmpty() && last.getLast().end() < typed.length();
        if (words.isEmpty() || between) {
            boolean separated = typed.stripTrailing().endsWith(";");
            words = separated ? new ArrayList<>() : words;
            words.add("");
        }
        for (Completions.Proposal proposal : shell.session().completions().of(words)) {
            String description = proposal.description().isEmpty() ? null : proposal.description();
            candidates.add(new Candidate(
                    proposal.value(), proposal.value(), null, description, null, null, proposal.complete()));
        }
    }

    private static Status loop(Shell shell, LineReader reader, Terminal terminal) {
        Status last = Status.DONE;
        try (var executor = Executors.newSingleThreadExecutor(Prompt::thread)) {
            while (!shell.session().isLeaving()) {
                String line;
                try {
                    line = reader.readLine(TEXT);
                } catch (UserInterruptException e) {
                    if (e.getPartialLine() == null || e.getPartialLine().isEmpty()) {
                        shell.session().console().note("Ctrl-D or exit leaves");
                    }
                    continue;
                } catch (EndOfFileException e) {
                    break;
                }
                if (!line.isBlank()) {
                    shell.session().history().add(line);
                    last = runCancellable(shell, line, terminal, executor);
                }
            }
        }
        return shell.session().console().isTerminal() ? Status.DONE : last;
    }

    private static Status runCancellable(Shell shell, String line, Terminal terminal, ExecutorService executor) {
        shell.session().begin();
        size(terminal, shell.session().console());
        Terminal.SignalHandler before =
                terminal.handle(Terminal.Signal.INT, signal -> shell.session().cancel());
        Future<Status> running = executor.submit(() -> shell.run(line));
        try {
            return running.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Status.INTERRUPTED;
        } catch (ExecutionException e) {
            throw new IllegalStateException("the command " + line + " failed", e.getCause());
        } finally {
            terminal.handle(Terminal.Signal.INT, before);
        }
    }

    private static Thread thread(Runnable task) {
        Thread thread = new Thread(task, "kintsugi-command");
        thread.setDaemon(true);
        return thread;
    }
}
