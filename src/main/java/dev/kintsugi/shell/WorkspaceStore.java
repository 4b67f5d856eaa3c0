package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.AtomicFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// A workspace on disk: a directory with `workspace.json`, `journal` and `history`, held by one shell at a
/// time.
///
/// `workspace.json` is the truth: it has the number of the last change and what it led to, and is replaced
/// whole. `journal` has a line a change: what it was, and the state before it, for `undo`. A change goes to the
/// journal first, so after a kill between the two the journal is one ahead, and [#journal] leaves that out.
final class WorkspaceStore implements AutoCloseable {
    private static final String SCHEMA = "kintsugi.workspace/1";
    private static final long MAX_NUMBER = 1L << 53;

    private final Path directory;
    private final FileChannel channel;
    private final FileLock lock;

    /// What `workspace.json` says.
    record Saved(long number, long savedMillis, WorkspaceState state) {}

    /// A change: its number, counted from 1, and the state it was made in.
    record Change(long number, long atMillis, String what, WorkspaceState before) {}

    private WorkspaceStore(Path directory, FileChannel channel, FileLock lock) {
        this.directory = directory;
        this.channel = channel;
        this.lock = lock;
    }

    /// Holds `directory`, made if need be; empty if another shell holds it.
    ///
    /// **Errors.** [Fault] `K5002` if nothing can be written there.
    @SuppressWarnings("MustBeClosedChecker") // the lock's channel closes with the store
    static Optional<WorkspaceStore> hold(Path directory) {
        try {
            Files.createDirectories(directory);
            Path lockFile = directory.resolve("lock");
            if (Files.exists(lockFile, LinkOption.NOFOLLOW_LINKS)
                    && !Files.isRegularFile(lockFile, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException(lockFile + " is not a regular file");
            }
            FileChannel channel = FileChannel.open(
                    lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
            FileLock lock = lock(channel);
            if (lock == null) {
                channel.close();
                return Optional.empty();
            }
            return Optional.of(new WorkspaceStore(directory, channel, lock));
        } catch (IOException e) {
            throw cannotWrite(directory, e);
        }
    }

    private static @Nullable FileLock lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    Path directory() {
        return directory;
    }

    static Path file(Path directory) {
        return directory.resolve("workspace.json");
    }

    /// The workspace that was put aside for another.
    static Path previous(Path directory) {
        return directory.resolve("previous.json");
    }

    /// What `file`, a `workspace.json`, says; empty if there is none. **Errors.** [Fault] `K2305`, `K5003`.
    static Optional<Saved> read(Path file) {
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        try {
            Map<String, Object> map = Json.read(text(file));
            if (!SCHEMA.equals(map.get("schema"))) {
                throw new IllegalArgumentException("its schema is " + map.get("schema") + ", not " + SCHEMA);
            }
            long number = WorkspaceState.number(map, "change");
            if (number < 0 || number > MAX_NUMBER) {
                throw new IllegalArgumentException("its last change is number " + number);
            }
            return Optional.of(new Saved(number, WorkspaceState.number(map, "saved_millis"), WorkspaceState.of(map)));
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, file + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        } catch (IllegalArgumentException e) {
            throw new Fault(
                    Code.K2305,
                    file + ": no workspace that this version reads",
                    String.valueOf(e.getMessage()),
                    "move the file away; the next change begins a new one",
                    e);
        }
    }

    private static String text(Path file) throws IOException {
        Limit.WORKSPACE_BYTES.checkSize(file, Code.K2305);
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }

    /// The changes that led to number `last`, in order, without a gap before it.
    ///
    /// Lines that cannot be read are left out: a kill may have cut the last one short.
    List<Change> journal(long last) {
        List<Change> changes = new ArrayList<>();
        for (String line : journalLines()) {
            change(line).filter(c -> c.number() <= last).ifPresent(c -> {
                changes.removeIf(known -> known.number() >= c.number());
                changes.add(c);
            });
        }
        int from = changes.size();
        while (from > 0 && changes.get(from - 1).number() == last - (changes.size() - from)) {
            from--;
        }
        return List.copyOf(changes.subList(from, changes.size()));
    }

    private List<String> journalLines() {
        try {
            return Files.exists(journalFile()) ? text(journalFile()).lines().toList() : List.of();
        } catch (IOException | Fault e) {
            return List.of();
        }
    }

    private Path journalFile() {
        return directory.resolve("journal");
    }

    /// Whether a journal that is there is one: a kill may have cut one line short, more than that is not ours.
    private boolean journalIsOurs() {
        if (!Files.exists(journalFile(), LinkOption.NOFOLLOW_LINKS)) {
            return true;
        }
        List<String> lines = journalLines().stream().filter(l -> !l.isBlank()).toList();
        List<String> broken = lines.stream().filter(l -> change(l).isEmpty()).toList();
        return Files.isRegularFile(journalFile(), LinkOption.NOFOLLOW_LINKS)
                && (broken.isEmpty() || broken.size() == 1 && broken.getFirst().startsWith("{"))
                && (!lines.isEmpty() || isEmptyFile(journalFile()));
    }

    private static boolean isEmptyFile(Path file) {
        try {
            return Files.size(file) < 3;
        } catch (IOException e) {
            return false;
        }
    }

    private static Optional<Change> change(String line) {
        try {
            Map<String, Object> map = Json.read(line);
            return map.get("before") instanceof Map<?, ?> before && map.get("what") instanceof String what
                    ? Optional.of(new Change(
                            WorkspaceState.number(map, "change"),
                            WorkspaceState.number(map, "at_millis"),
                            what,
                            WorkspaceState.of(before)))
                    : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /// Adds a change to the journal. **Errors.** [Fault] `K5001`, `K5002`.
    void append(Change change) {
        writing(() -> AtomicFile.append(journalFile(), line(change)));
    }

    /// Puts `changes` in the place of the journal; one that cannot be read is put aside.
    ///
    /// **Errors.** [Fault] `K5001`, `K5002`.
    void journal(List<Change> changes) {
        if (!journalIsOurs()) {
            writing(() -> AtomicFile.putAside(journalFile()));
        }
        StringBuilder lines = new StringBuilder();
        changes.forEach(c -> lines.append(new String(line(c), StandardCharsets.UTF_8)));
        writing(() -> AtomicFile.replace(journalFile(), lines.toString().getBytes(StandardCharsets.UTF_8)));
    }

    /// A line break goes before each change too, so that one cut short takes only itself.
    private static byte[] line(Change change) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("change", change.number());
        map.put("at_millis", change.atMillis());
        map.put("what", change.what());
        map.put("before", change.before().toMap());
        return ("\n" + Json.line(map) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /// Puts a state in the place of the last. **Errors.** [Fault] `K5001`, `K5002`.
    void save(Saved saved) {
        writing(() -> AtomicFile.replace(file(directory), bytes(saved)));
    }

    /// Keeps `saved` in a file of its own, as [#previous(Path)]. **Errors.** [Fault] `K5001`, `K5002`.
    void keep(Saved saved) {
        writing(() -> AtomicFile.replace(previous(directory), bytes(saved)));
    }

    private static byte[] bytes(Saved saved) {
        SequencedMap<String, Object> map = saved.state().toMap();
        map.putFirst("saved_millis", saved.savedMillis());
        map.putFirst("change", saved.number());
        map.putFirst("schema", SCHEMA);
        return (Json.write(map) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private interface Writing {
        void run() throws IOException;
    }

    private void writing(Writing task) {
        try {
            task.run();
        } catch (IOException e) {
            throw cannotWrite(directory, e);
        }
    }

    static Fault cannotWrite(Path path, IOException e) {
        boolean full = String.valueOf(e.getMessage()).contains("No space left");
        return new Fault(
                full ? Code.K5001 : Code.K5002,
                path + ": " + (full ? "the disk is full" : "cannot be written"),
                "the system says: " + e.getClass().getSimpleName() + ": " + e.getMessage(),
                "check the path, its permissions and the disk",
                e);
    }

    /// Lets go of the directory.
    @Override
    public void close() {
        try {
            lock.release();
            channel.close();
        } catch (IOException e) {
            // The process's end lets go of it too.
        }
    }
}
