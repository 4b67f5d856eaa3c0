package dev.kintsugi.io;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A file opened read-only and mapped once, whole.
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

    private final Path path;
    private final long byteCount;
    private final long modifiedMillis;
    private final @Nullable Object fileKey;
    private final Arena arena;
    private final MemorySegment mapping;

    private MappedFile(Path path, BasicFileAttributes attributes, Arena arena, MemorySegment mapping) {
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
        try (FileChannel channel = regular(path)) {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            long size = channel.size();
            MemorySegment mapping = size < WINDOW_BYTES
                    ? MemorySegment.ofArray(channelBytes(channel, (int) size))
                    : channel.map(MapMode.READ_ONLY, 0, size, arena);
            return new MappedFile(path, attributes, arena, mapping);
        } catch (IOException e) {
            arena.close();
            String reason =
                    e instanceof NoSuchFileException ? "there is no such file" : "the system says: " + e.getMessage();
            throw new Fault(Code.K5003, path + ": cannot be opened", reason, "check the path and its permissions", e);
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
            throw new Fault(
                    Code.K2402,
                    path + ": cut short while it was read, at byte " + byteOffset,
                    "another process truncated or replaced the file",
                    "wait until nobody writes to it, then open it again",
                    e);
        }
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
        }
    }
}
