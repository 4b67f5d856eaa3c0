package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// Turns models into entries of a workspace, and entries into models again.
final class Reopening {
    private static final int MAX_NAMED = 5;
    private static final Set<String> MAKERS = Set.of("open", "fuse");

    private final Session session;

    Reopening(Session session) {
        this.session = session;
    }

    /// `model` as it is kept. Only its command is needed; a checkpoint's files are noted as they were opened.
    WorkspaceState.Entry entry(Model model) {
        String command = new Commands(session.dispatcher()).absolute(model.command());
        List<WorkspaceState.Source> sources =
                model.checkpoint().stream().flatMap(Reopening::files).toList();
        return new WorkspaceState.Entry(model.name(), command, sources);
    }

    private static Stream<WorkspaceState.Source> files(Checkpoint checkpoint) {
        Stream<WorkspaceState.Source> shards = checkpoint.files().stream()
                .filter(f -> f.status().equals("ok"))
                .map(f -> new WorkspaceState.Source(
                        Commands.absolute(f.path()).toString(), f.byteCount(), f.modifiedMillis()));
        Stream<WorkspaceState.Source> config = checkpoint.sidecars().stream()
                .map(d -> d.resolve("config.json"))
                .flatMap(p -> source(Commands.absolute(p)).stream());
        return Stream.concat(shards, config);
    }

    private static Optional<WorkspaceState.Source> source(Path path) {
        try {
            return Optional.of(new WorkspaceState.Source(
                    path.toString(),
                    Files.size(path),
                    Files.getLastModifiedTime(path).toMillis()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /// What became of the files of `entry`: a line for each that is gone or has changed.
    static List<String> changes(WorkspaceState.Entry entry) {
        List<String> changes = new ArrayList<>();
        for (WorkspaceState.Source before : entry.sources()) {
            Optional<WorkspaceState.Source> now = now(before.path());
            if (now.isEmpty()) {
                changes.add(before.path() + " is gone");
            } else if (now.get().byteCount() != before.byteCount()) {
                changes.add(before.path() + " has changed: it had " + Units.exact(before.byteCount())
                        + " bytes and has " + Units.exact(now.get().byteCount()));
            } else if (now.get().modifiedMillis() != before.modifiedMillis()) {
                changes.add(before.path() + " was written again since");
            }
        }
        return changes;
    }

    private static Optional<WorkspaceState.Source> now(String path) {
        try {
            return source(Path.of(path));
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    /// Makes the model of `entry` again, naming each file that is not as it was. What the command reports is
    /// not printed, what it warns of is.
    ///
    /// The file may be another person's work: only a command that makes a model is run.
    Status reopen(WorkspaceState.Entry entry) {
        if (!makesAModel(entry.command())) {
            session.console().warn(entry.name() + ": is not opened: " + entry.command() + " makes no model");
            return Status.CORRUPT;
        }
        List<String> changes = changes(entry);
        changes.stream().limit(MAX_NAMED).forEach(c -> session.console().warn(entry.name() + ": " + c));
        if (changes.size() > MAX_NAMED) {
            session.console().warn(entry.name() + ": and " + Counted.of(changes.size() - MAX_NAMED, "file") + " more");
        }
        return session.console().withoutResults(() -> session.dispatcher().run(entry.command()));
    }

    private boolean makesAModel(String command) {
        try {
            List<List<Tokenizer.Word>> commands = Tokenizer.commands(command, name -> Optional.empty());
            return commands.size() == 1
                    && session.dispatcher()
                            .find(commands.getFirst().getFirst().text())
                            .filter(v -> MAKERS.contains(v.getName()))
                            .isPresent();
        } catch (Fault fault) {
            return false;
        }
    }
}
