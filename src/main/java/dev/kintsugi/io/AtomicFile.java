package dev.kintsugi.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/// Small files that are there whole or not at all, whenever the process is killed or the machine stops.
public final class AtomicFile {
    private AtomicFile() {}

    /// Puts `bytes` in the place of `file`: written beside it, made durable, renamed.
    ///
    /// Readers see the bytes of before or these. One writer at a time. A link is replaced, what it leads to is not.
    public static void replace(Path file, byte[] bytes) throws IOException {
        Path target = file.toAbsolutePath();
        Path part = target.resolveSibling(target.getFileName() + ".part");
        Files.deleteIfExists(part);
        try {
            try (FileChannel channel =
                    FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                write(channel, bytes);
            }
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            Files.deleteIfExists(part);
            throw e;
        }
        sync(target);
    }

    /// Moves `file` to a name of its own beside it, behind `.aside`, and says which; what was moved there before is
    /// replaced.
    public static Path putAside(Path file) throws IOException {
        Path aside = file.resolveSibling(file.getFileName() + ".aside");
        Files.move(file, aside, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return aside;
    }

    /// Adds `bytes` to the end of `file` and makes them durable. Killed on the way, a part of them may be
    /// there. A link is not followed.
    public static void append(Path file, byte[] bytes) throws IOException {
        boolean known = Files.exists(file);
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS)) {
            write(channel, bytes);
        }
        if (!known) {
            sync(file.toAbsolutePath());
        }
    }

    private static void write(FileChannel channel, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        channel.force(true);
    }

    /// Makes the entry of `file` in its directory durable.
    private static void sync(Path file) throws IOException {
        Path directory = file.getParent();
        if (directory == null) {
            return;
        }
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
