package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jline.reader.Candidate;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.DefaultParser;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Reads lines from a person and runs them.
///
/// Ctrl-C cancels the command that runs, and at the prompt says how to leave; Ctrl-D leaves. History survives.
final class Prompt {
    private static final String TEXT = "kintsugi> ";

    private Prompt() {}

    static Status run(Shell shell) {
        Console console = shell.session().console();
        try (Terminal terminal =
                TerminalBuilder.builder().system(true).dumb(true).build()) {
            if (terminal.getWidth() > 0) {
                console.width(terminal.getWidth());
            }
            LineReader reader = reader(shell, terminal);
            if (console.isTerminal()) {
                console.out()
                        .println("kintsugi " + Release.VERSION
                                + " · help lists the commands, Tab completes, Ctrl-D leaves");
                console.out().flush();
            }
            return loop(shell, reader, terminal);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static LineReader reader(Shell shell, Terminal terminal) {
        DefaultParser parser = new DefaultParser();
        parser.setEofOnUnclosedQuote(true);
        parser.setEofOnEscapedNewLine(true);
        return LineReaderBuilder.builder()
                .terminal(terminal)
                .appName("kintsugi")
                .parser(parser)
                .completer((reader, line, candidates) ->
                        complete(shell, line.line().substring(0, line.cursor()), candidates))
                .variable(LineReader.HISTORY_FILE, historyFile(System.getenv()))
                .variable(LineReader.HISTORY_IGNORE, "*token*:*password*:*secret*")
                .variable(LineReader.LIST_MAX, 200)
                .variable(LineReader.SECONDARY_PROMPT_PATTERN, "%P ... ")
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .option(LineReader.Option.AUTO_FRESH_LINE, true)
                .option(LineReader.Option.HISTORY_INCREMENTAL, true)
                .build();
    }

    /// The file of lines typed before: in `XDG_STATE_HOME`, else in `~/.local/state`.
    static Path historyFile(Map<String, String> environment) {
        Path state = Optional.ofNullable(environment.get("XDG_STATE_HOME"))
                .filter(s -> !s.isEmpty())
                .map(Path::of)
                .orElseGet(() -> Path.of(System.getProperty("user.home"), ".local", "state"));
        Path directory = state.resolve("kintsugi");
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            return Path.of(System.getProperty("java.io.tmpdir"), "kintsugi-history");
        }
        return directory.resolve("history");
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
                    last = runCancellable(shell, line, terminal, executor.submit(() -> shell.run(line)));
                }
            }
        }
        return shell.session().console().isTerminal() ? Status.DONE : last;
    }

    private static Status runCancellable(Shell shell, String line, Terminal terminal, Future<Status> running) {
        Terminal.SignalHandler before =
                terminal.handle(Terminal.Signal.INT, signal -> shell.session().cancel());
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
