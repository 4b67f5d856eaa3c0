package dev.kintsugi.shell;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/// Copies of good checkpoints, and what can happen to them.
final class Broken {
    private Broken() {}

    /// A copy of directory `source` at `target`.
    static Path copy(Path source, Path target) {
        try (Stream<Path> walk = Files.walk(source)) {
            for (Path from : walk.toList()) {
                Path to = target.resolve(source.relativize(from).toString());
                if (Files.isDirectory(from)) {
                    Files.createDirectories(to);
                } else {
                    Files.copy(from, to, StandardCopyOption.COPY_ATTRIBUTES);
                }
            }
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The piece of `tensor` that `rank` of the checkpoint in `directory` holds.
    static Piece piece(Path directory, String tensor, int rank) {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(directory), OpenOptions.defaults(), Job.quiet())) {
            return checkpoint.layouts().get(tensor).pieces().stream()
                    .filter(p -> p.rank() == rank)
                    .findFirst()
                    .orElseThrow();
        }
    }

    /// Overwrites the bytes at `offset` of `file`, as a disk does: the time of the last change stays.
    static void overwrite(Path file, long offset, byte... bytes) {
        try {
            FileTime time = Files.getLastModifiedTime(file);
            try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
                access.seek(offset);
                access.write(bytes);
            }
            Files.setLastModifiedTime(file, time);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Keeps the first `bytes` of `file`, and the time of its last change.
    static void truncate(Path file, long bytes) {
        try {
            FileTime time = Files.getLastModifiedTime(file);
            try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
                access.setLength(bytes);
            }
            Files.setLastModifiedTime(file, time);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Overwrites the first bytes of `piece` as a training step does: the checksum in the archive is right.
    static void train(Piece piece, byte... bytes) {
        overwrite(piece.file(), piece.byteOffset(), bytes);
        try {
            ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(piece.file())).order(ByteOrder.LITTLE_ENDIAN);
            byte[] name = piece.record().getBytes(StandardCharsets.UTF_8);
            for (int at = 0; at < all.capacity() - 46 - name.length; at++) {
                boolean entry = all.getInt(at) == 0x02014b50
                        && Arrays.equals(name, Arrays.copyOfRange(all.array(), at + 46, at + 46 + name.length))
                        && all.getShort(at + 28) == name.length;
                if (entry) {
                    int local = all.getInt(at + 42);
                    int start = local + 30 + all.getShort(local + 26) + all.getShort(local + 28);
                    CRC32 crc = new CRC32();
                    crc.update(all.array(), start, all.getInt(at + 24));
                    byte[] sum = ByteBuffer.allocate(4)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putInt((int) crc.getValue())
                            .array();
                    overwrite(piece.file(), at + 16, sum);
                    return;
                }
            }
            throw new AssertionError(piece.file() + " has no record " + piece.record());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Replaces `before`, which must be there, in a text file.
    static void edit(Path file, String before, String after) {
        try {
            String text = Files.readString(file);
            if (!text.contains(before)) {
                throw new AssertionError(file + " holds no " + before);
            }
            Files.writeString(file, text.replace(before, after));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Writes a safetensors file.
    static Path safetensors(Path file, Map<String, MemoryTensor> tensors) {
        StringJoiner header = new StringJoiner(",", "{", "}");
        long at = 0;
        for (Map.Entry<String, MemoryTensor> entry : tensors.entrySet()) {
            MemoryTensor tensor = entry.getValue();
            long end = at + tensor.bytes().length;
            header.add("\"" + entry.getKey() + "\":{\"dtype\":\""
                    + tensor.spec().dtype().name() + "\",\"shape\":"
                    + Arrays.toString(tensor.spec().shape().toArray()) + ",\"data_offsets\":[" + at + "," + end + "]}");
            at = end;
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(8 + json.length + at))
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json);
        tensors.values().forEach(t -> buffer.put(t.bytes()));
        try {
            return Files.write(file, buffer.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
