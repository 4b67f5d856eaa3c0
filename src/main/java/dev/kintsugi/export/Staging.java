package dev.kintsugi.export;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The directory beside the target in which an output grows, under a lock, until it takes the target's place.
final class Staging implements AutoCloseable {
    private final Path target;
    private final Path directory;
    private final TargetLock lock;
    private final List<Path> madeParents;
    private boolean published;

    private Staging(Path target, Path directory, TargetLock lock, List<Path> madeParents) {
        this.target = target;
        this.directory = directory;
        this.lock = lock;
        this.madeParents = madeParents;
    }

    /// Locks the place of `target` and makes the directory, empty unless `resume` finds one.
    ///
    /// **Errors.** [Fault] `K4003` where the target exists, `K4009` where another export writes there,
    /// `K5002` where nothing can be written.
    static Staging open(Path wanted, ExportOptions options) {
        Path absolute = wanted.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        Path parent = absolute.getParent();
        if (name == null || parent == null) {
            throw new Fault(Code.K5002, wanted + ": no directory can be made there", "it is a root", "name another");
        }
        List<Path> made = new ArrayList<>();
        Optional<TargetLock> lock = Optional.empty();
        try {
            makeParents(parent, made);
            Path target = parent.toRealPath().resolve(name);
            lock = Optional.of(TargetLock.take(target));
            bringBack(target);
            refuseExisting(target, options);
            return new Staging(target, prepared(target, options), lock.get(), made);
        } catch (IOException e) {
            lock.ifPresent(TargetLock::close);
            remove(made);
            throw cannotWrite(wanted, e);
        } catch (Fault fault) {
            lock.ifPresent(TargetLock::close);
            remove(made);
            throw fault;
        }
    }

    /// Undoes a swap that was cut off between its two moves.
    private static void bringBack(Path target) throws IOException {
        Path old = beside(target, "old");
        if (Files.isDirectory(old, LinkOption.NOFOLLOW_LINKS) && !Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
        }
    }

    /// The directory to write into: one that was left is kept to resume, unless links stand in it.
    private static Path prepared(Path target, ExportOptions options) throws IOException {
        Path directory = beside(target, "part");
        if (Files.exists(directory, LinkOption.NOFOLLOW_LINKS) && !(options.resume() && isPlain(directory))) {
            delete(directory);
        }
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(directory);
        }
        return directory;
    }

    private static boolean isPlain(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            return all.noneMatch(Files::isSymbolicLink) && Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS);
        }
    }

    private static Path beside(Path target, String what) {
        return target.resolveSibling("." + target.getFileName() + ".kintsugi-" + what);
    }

    private static void makeParents(Path parent, List<Path> made) throws IOException {
        Path missing = parent;
        List<Path> toMake = new ArrayList<>();
        while (missing != null && !Files.exists(missing)) {
            toMake.addFirst(missing);
            missing = missing.getParent();
        }
        for (Path directory : toMake) {
            Files.createDirectory(directory);
            made.addFirst(directory);
        }
    }

    private static void remove(List<Path> directories) {
        for (Path directory : directories) {
            try {
                Files.deleteIfExists(directory);
            } catch (IOException e) {
                return;
            }
        }
    }

    private static void refuseExisting(Path target, ExportOptions options) throws IOException {
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS) || isEmptyDirectory(target)) {
            return;
        }
        boolean directory = Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS);
        if (options.replace() && directory) {
            return;
        }
        throw new Fault(
                Code.K4003,
                target + " exists",
                directory ? "nothing is overwritten unasked" : "it is no directory",
                directory
                        ? "name another directory, or say --replace to swap it for the new one when that is complete"
                        : "name another directory");
    }

    private static boolean isEmptyDirectory(Path path) throws IOException {
        if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        try (Stream<Path> list = Files.list(path)) {
            return list.findAny().isEmpty();
        }
    }

    Path directory() {
        return directory;
    }

    Path target() {
        return target;
    }

    /// Puts the finished directory in the target's place.
    void publish(boolean replace) {
        try {
            syncAll(directory);
            Path parent = Optional.ofNullable(target.getParent()).orElse(target);
            if (replace && Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                swap();
            } else {
                refuseFile();
                Files.deleteIfExists(target);
                Files.move(directory, target, StandardCopyOption.ATOMIC_MOVE);
            }
            published = true;
            sync(parent);
            for (Path made : madeParents) {
                sync(Optional.ofNullable(made.getParent()).orElse(made));
            }
        } catch (DirectoryNotEmptyException | AtomicMoveNotSupportedException e) {
            throw new Fault(
                    Code.K4003,
                    target + " came into being while the output was written",
                    "another program made it",
                    "name another directory, or say --replace",
                    e);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    /// An empty directory gives way, anything else that came into being meanwhile does not.
    private void refuseFile() throws IOException {
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS) && !Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
            throw new DirectoryNotEmptyException(target.toString());
        }
    }

    private void swap() throws IOException {
        Path old = beside(target, "old");
        if (Files.exists(old, LinkOption.NOFOLLOW_LINKS)) {
            delete(old);
        }
        Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
        try {
            Files.move(directory, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
            throw e;
        }
        delete(old);
    }

    /// Makes the entries of `root` and of the directories in it durable, the innermost first.
    private static void syncAll(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            for (Path directory : all.filter(Files::isDirectory)
                    .sorted(Comparator.reverseOrder())
                    .toList()) {
                sync(directory);
            }
        }
    }

    /// Makes a directory's entries durable, where the system lets directories be opened.
    static void sync(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    static Fault cannotWrite(Path path, IOException e) {
        String message = String.valueOf(e.getMessage());
        if (message.contains("No space left") || message.contains("quota")) {
            return new Fault(
                    Code.K5001,
                    path + ": the disk is full",
                    "the system says: " + message,
                    "free some space, or name a directory on another disk",
                    e);
        }
        return new Fault(
                Code.K5002,
                path + ": cannot be written",
                "the system says: " + e.getClass().getSimpleName() + ": " + message,
                "check the path and its permissions, or name another directory",
                e);
    }

    static void delete(Path root) throws IOException {
        if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /// Removes what was not published, and the lock.
    @Override
    public void close() {
        try {
            if (!published) {
                delete(directory);
            }
        } catch (IOException e) {
            // What could not be removed is under a hidden name and is cleared by the next export to this target.
        } finally {
            lock.close();
        }
        if (!published) {
            remove(madeParents);
        }
    }
}
