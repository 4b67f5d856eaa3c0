package dev.kintsugi.io;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A file opened read-only and mapped once, whole.
///
/// Long runs are read from the file into native memory where that is possible, which spares the system the pages of a
/// mapping; all else is copied out of the mapping.
///
/// **Units.** Bytes, as `long`. **Memory.** The mapping lives until [#close()], which waits for readers; it
/// counts against the page cache, not the heap. **Threads.** Any number may read.
/// **Errors.** [Fault] `K5003` where the file cannot be opened, `K2402` where it was cut short since, `K2401`
/// where it was changed since.
public final class MappedFile implements ByteSource, AutoCloseable {
    /// The JDK copies up to this many bytes with loads and stores of its own, on which a file that shrinks
    /// may kill the JVM; what is longer goes through a routine that survives it. Short reads therefore copy a
    /// window around them.
    private static final int SCALAR_BYTES = 64;
    private static final int WINDOW_BYTES = 128;

    /// From here on a read costs less than the faults of the pages it would touch.
    private static final long LONG_BYTES = 64 << 10;

    /// A process may have only so many files open, and a checkpoint may have more.
    private static final int MOST_CHANNELS = 256;

    private static final AtomicInteger CHANNELS = new AtomicInteger();

    private final Path path;
    private final long byteCount;
    private final long modifiedMillis;
    private final @Nullable Object fileKey;
    private final Arena arena;
    private final MemorySegment mapping;
    private final @Nullable FileChannel channel;

    private MappedFile(
            Path path,
            BasicFileAttributes attributes,
            Arena arena,
            MemorySegment mapping,
            @Nullable FileChannel channel) {
        this.channel = channel;
        this.path = path;
        this.byteCount = mapping.byteSize();
        this.modifiedMillis = attributes.lastModifiedTime().toMillis();
        this.fileKey = attributes.fileKey();
        this.arena = arena;
        this.mapping = mapping;
    }

    // The arena closes with the file, in close().
    @SuppressWarnings("MustBeClosedChecker")
    public static MappedFile open(Path path) {
        Arena arena = Arena.ofShared();
        FileChannel channel = null;
        boolean kept = false;
        try {
            channel = regular(path);
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            long size = channel.size();
            MemorySegment mapping = size < WINDOW_BYTES
                    ? MemorySegment.ofArray(channelBytes(channel, (int) size))
                    : channel.map(MapMode.READ_ONLY, 0, size, arena);
            kept = CHANNELS.incrementAndGet() <= MOST_CHANNELS && size >= LONG_BYTES;
            if (!kept) {
                CHANNELS.decrementAndGet();
            }
            return new MappedFile(path, attributes, arena, mapping, kept ? channel : null);
        } catch (IOException e) {
            arena.close();
            String reason =
                    e instanceof NoSuchFileException ? "there is no such file" : "the system says: " + e.getMessage();
            throw new Fault(Code.K5003, path + ": cannot be opened", reason, "check the path and its permissions", e);
        } finally {
            if (!kept) {
                close(channel);
            }
        }
    }

    /// Nothing was written to it, so that closing it cannot lose anything.
    private static void close(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            return;
        }
    }

    /// Opening a pipe would wait for somebody to write into it.
    private static FileChannel regular(Path path) throws IOException {
        if (!Files.readAttributes(path, BasicFileAttributes.class).isRegularFile()) {
            throw new IOException("not a regular file");
        }
        return FileChannel.open(path, StandardOpenOption.READ);
    }

    private static byte[] channelBytes(FileChannel channel, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                throw new IOException("it ended at byte " + bytes.position() + " of " + count);
            }
        }
        return bytes.array();
    }

    public Path path() {
        return path;
    }

    /// The name without its directory, for messages.
    public String name() {
        return Objects.requireNonNullElse(path.getFileName(), path).toString();
    }

    @Override
    public long byteCount() {
        return byteCount;
    }

    public long modifiedMillis() {
        return modifiedMillis;
    }

    /// Copies `[byteOffset, byteOffset + target.byteSize())` into `target`.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if the range leaves the file as it was when opened.
    public void read(long byteOffset, MemorySegment target) {
        read(byteOffset, target.byteSize(), target, 0);
    }

    @Override
    public void read(long byteOffset, long count, MemorySegment target, long targetOffset) {
        Objects.checkFromIndexSize(byteOffset, count, byteCount);
        if (count >= LONG_BYTES
                && channel != null
                && target.isNative()
                && readLong(byteOffset, count, target, targetOffset)) {
            return;
        }
        try {
            if (count > SCALAR_BYTES || isCopy()) {
                MemorySegment.copy(mapping, byteOffset, target, targetOffset, count);
            } else if (count > 0) {
                long from = Math.min(byteOffset, byteCount - WINDOW_BYTES);
                MemorySegment window = MemorySegment.ofArray(new byte[WINDOW_BYTES]);
                MemorySegment.copy(mapping, from, window, 0, WINDOW_BYTES);
                MemorySegment.copy(window, byteOffset - from, target, targetOffset, count);
            }
            deliver();
        } catch (InternalError e) {
            throw cutShort(byteOffset, e);
        }
    }

    /// Reads from the file itself. Whether it could: an interrupted thread has the system close the channel for all,
    /// and the mapping still serves.
    private boolean readLong(long byteOffset, long count, MemorySegment target, long targetOffset) {
        FileChannel open = Objects.requireNonNull(channel);
        long done = 0;
        try {
            while (done < count) {
                long part = Math.min(count - done, Integer.MAX_VALUE);
                ByteBuffer bytes = target.asSlice(targetOffset + done, part).asByteBuffer();
                int read = open.read(bytes, byteOffset + done);
                if (read < 0) {
                    throw cutShort(byteOffset + done, null);
                }
                done += read;
            }
            return true;
        } catch (ClosedChannelException e) {
            return false;
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    path + ": cannot be read at byte " + (byteOffset + done),
                    "the system says: " + e.getMessage(),
                    "check the disk, then try again",
                    e);
        }
    }

    private Fault cutShort(long byteOffset, @Nullable Throwable cause) {
        return new Fault(
                Code.K2402,
                path + ": cut short while it was read, at byte " + byteOffset,
                "another process truncated or replaced the file",
                "wait until nobody writes to it, then open it again",
                cause);
    }

    /// Lets a fault of the copy surface here. Compiled code notes it and throws at its next safepoint, which
    /// may lie in a caller, behind the guard; a call into native code is such a point.
    private void deliver() {
        boolean unused = Thread.holdsLock(this);
    }

    /// Whether the bytes were copied when the file was opened, as those of tiny files are.
    private boolean isCopy() {
        return byteCount < WINDOW_BYTES;
    }

    /// Checks that the file is the one that was opened. **Errors.** [Fault] `K2401` if not.
    public void checkUnchanged() {
        BasicFileAttributes now;
        try {
            now = Files.readAttributes(path, BasicFileAttributes.class);
        } catch (IOException e) {
            throw changed("it is gone", e);
        }
        if (now.size() != byteCount) {
            throw changed("it had " + byteCount + " bytes and has " + now.size(), null);
        }
        if (now.lastModifiedTime().toMillis() != modifiedMillis || !Objects.equals(now.fileKey(), fileKey)) {
            throw changed("its modification time or identity differs", null);
        }
    }

    private Fault changed(String how, @Nullable Throwable cause) {
        return new Fault(
                Code.K2401,
                path + ": changed since it was opened: " + how,
                "another process wrote to it",
                "wait until nobody writes to it, then open it again",
                cause);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            if (channel != null) {
                CHANNELS.decrementAndGet();
                close(channel);
            }
        }
    }
}
