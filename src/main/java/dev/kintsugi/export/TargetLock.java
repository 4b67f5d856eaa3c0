package dev.kintsugi.export;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/// The right to write to a target, held by one process at a time.
///
/// The lock is the system's, on a file beside the target, so it ends with the process that holds it, however
/// that ends: a file left behind locks nobody out. The file says which process wrote it.
final class TargetLock implements AutoCloseable {
    private static final int MAX_ATTEMPTS = 100;

    private final Path file;
    private final FileChannel channel;

    private TargetLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /// **Errors.** [Fault] `K4009` where another export holds it.
    static TargetLock take(Path target) throws IOException {
        Path file = target.resolveSibling("." + target.getFileName() + ".kintsugi-lock");
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            Optional<TargetLock> lock = attempt(target, file);
            if (lock.isPresent()) {
                return lock.get();
            }
        }
        throw held(target, file);
    }

    /// Nothing where the file was removed by its last holder between opening and locking it.
    @SuppressWarnings("MustBeClosedChecker") // the channel closes with the lock
    private static Optional<TargetLock> attempt(Path target, Path file) throws IOException {
        FileChannel channel = FileChannel.open(
                file,
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS);
        boolean taken = false;
        try {
            if (tryLock(channel) == null) {
                throw held(target, file);
            }
            String mark = "process " + ProcessHandle.current().pid() + ", " + UUID.randomUUID() + "\n";
            channel.truncate(0);
            channel.write(ByteBuffer.wrap(mark.getBytes(StandardCharsets.UTF_8)), 0);
            taken = text(file).equals(mark);
            return taken ? Optional.of(new TargetLock(file, channel)) : Optional.empty();
        } finally {
            if (!taken) {
                channel.close();
            }
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    private static String text(Path file) throws IOException {
        try {
            return Files.size(file) > 1000 ? "" : Files.readString(file);
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    private static Fault held(Path target, Path file) throws IOException {
        String holder = text(file).replaceFirst(",.*\\s*", "");
        return new Fault(
                Code.K4009,
                "another export writes to " + target,
                (holder.isBlank() ? "it" : holder) + " holds the lock on " + file,
                "wait for it, or name another directory");
    }

    /// Gives the right back, and removes the file while it still is ours.
    @Override
    public void close() {
        try (channel) {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The lock is given back by closing; a file that stays locks nobody out.
        }
    }
}
