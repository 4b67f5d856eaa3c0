package dev.kintsugi.export;

import dev.kintsugi.export.BlockWriter.Segment;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;

/// A weight file's checksum, made of the CRC-32C of its segments so that threads can take them in any order.
final class Checksums {
    private Checksums() {}

    /// The checksum of a file whose segments, by offset, have these CRCs.
    static String combine(List<Segment> segments, Map<Long, Integer> crcs) {
        CRC32C all = new CRC32C();
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES);
        for (Segment segment : segments) {
            bytes.clear()
                    .putInt(Objects.requireNonNull(crcs.get(segment.fileOffset())))
                    .flip();
            all.update(bytes);
        }
        return String.format(Locale.ROOT, "%08x", all.getValue());
    }

    /// The checksum of a file on disk, empty if it is not of the planned size or starts otherwise.
    static String of(Path path, PlannedFile.Weights weights) throws IOException {
        if (!Files.isRegularFile(path) || Files.size(path) != weights.byteCount()) {
            return "";
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            byte[] head = weights.layout().head();
            ByteBuffer found = ByteBuffer.allocate(head.length);
            fill(channel, found, 0);
            if (!Arrays.equals(found.array(), head)) {
                return "";
            }
            Map<Long, Integer> crcs = new HashMap<>();
            List<Segment> segments = Exporter.segments(weights);
            ByteBuffer block = ByteBuffer.allocate(BlockWriter.BLOCK_BYTES);
            for (Segment segment : segments) {
                crcs.put(segment.fileOffset(), crc(channel, block, segment));
            }
            return combine(segments, crcs);
        }
    }

    private static int crc(FileChannel channel, ByteBuffer block, Segment segment) throws IOException {
        CRC32C crc = new CRC32C();
        long bytes = segment.elementCount() * segment.tensor().spec().dtype().byteWidth();
        for (long done = 0; done < bytes; done += block.capacity()) {
            block.clear().limit((int) Math.min(block.capacity(), bytes - done));
            fill(channel, block, segment.fileOffset() + done);
            crc.update(block.flip());
        }
        return (int) crc.getValue();
    }

    private static void fill(FileChannel channel, ByteBuffer block, long offset) throws IOException {
        long at = offset;
        while (block.hasRemaining()) {
            int read = channel.read(block, at);
            if (read < 0) {
                throw new IOException("the file ended at byte " + at);
            }
            at += read;
        }
    }
}
