package dev.kintsugi.export;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The right to write to a target, held by one process at a time.
///
/// The lock is the system's, on a file beside the target, so it ends with the process that holds it, however
/// that ends: a file left behind locks nobody out. The file says which process of which host wrote it.
final class TargetLock implements AutoCloseable {
    private static final int MAX_ATTEMPTS = 100;
    private static final int MARK_BYTES = 128;
    private static final Path HOST = Path.of("/proc/sys/kernel/hostname");
    private static final String NAME = "[A-Za-z0-9._-]{1,64}";

    /// The locks of this process. Closing any channel on a locked file gives the system's lock back, so a
    /// file that this process holds is never opened a second time.
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel channel;

    private TargetLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /// **Errors.** [Fault] `K4009` where another export holds it.
    static TargetLock take(Path target) throws IOException {
        Path file = target.resolveSibling("." + target.getFileName() + ".kintsugi-lock");
        if (!HELD.add(file)) {
            throw held(target, file, self());
        }
        Optional<TargetLock> lock = Optional.empty();
        try {
            for (int attempt = 0; attempt < MAX_ATTEMPTS && lock.isEmpty(); attempt++) {
                lock = attempt(target, file);
            }
            return lock.orElseThrow(() -> held(target, file, "another process"));
        } finally {
            if (lock.isEmpty()) {
                HELD.remove(file);
            }
        }
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
            if (channel.tryLock() == null) {
                throw held(target, file, holder(channel));
            }
            taken = mark(channel) == sizeOf(file);
            return taken ? Optional.of(new TargetLock(file, channel)) : Optional.empty();
        } finally {
            if (!taken) {
                channel.close();
            }
        }
    }

    /// Writes who holds the lock, at a length of its own: by it the file under the name is known to be the
    /// one locked, without opening it again.
    private static long mark(FileChannel channel) throws IOException {
        String who = self() + "\n";
        int length = MARK_BYTES + new SecureRandom().nextInt(1 << 16);
        channel.truncate(0);
        channel.write(ByteBuffer.wrap(who.getBytes(StandardCharsets.US_ASCII)), 0);
        channel.write(ByteBuffer.wrap(new byte[] {'\n'}), length - 1);
        return length;
    }

    /// `process 4711 on node3`; without the host where the system does not tell its name in a file.
    private static String self() {
        String process = "process " + ProcessHandle.current().pid();
        try {
            String host = Files.readString(HOST).strip();
            return host.matches(NAME) ? process + " on " + host : process;
        } catch (IOException e) {
            return process;
        }
    }

    private static long sizeOf(Path file) throws IOException {
        try {
            return Files.size(file);
        } catch (NoSuchFileException e) {
            return 0;
        }
    }

    private static String holder(FileChannel channel) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(MARK_BYTES);
        channel.read(bytes, 0);
        String line = new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII)
                .lines()
                .findFirst()
                .orElse("");
        return line.matches("process [0-9]+( on " + NAME + ")?") ? line : "another process";
    }

    private static Fault held(Path target, Path file, String holder) {
        return new Fault(
                Code.K4009,
                "another export writes to " + target,
                holder + " holds the lock on " + file,
                "wait for it, or name another directory");
    }

    /// Gives the right back, and removes the file while it still is ours.
    @Override
    public void close() {
        try (channel) {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The lock is given back by closing; a file that stays locks nobody out.
        } finally {
            HELD.remove(file);
        }
    }
}
