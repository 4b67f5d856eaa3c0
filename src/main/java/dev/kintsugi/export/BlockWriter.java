package dev.kintsugi.export;

import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// Copies runs of a tensor's elements to their places in a file, through buffers of its own.
///
/// **Memory.** One block of [#BLOCK_BYTES] for each thread that writes at once.
final class BlockWriter implements AutoCloseable {
    static final int BLOCK_BYTES = 1 << 20;

    /// What one task copies. **Units.** Bytes.
    static final long SEGMENT_BYTES = 16L << 20;

    private final Arena arena = Arena.ofShared();
    private final Deque<MemorySegment> idle = new ArrayDeque<>();
    private final Job job;

    BlockWriter(Job job) {
        this.job = job;
    }

    /// A run of elements and where it goes.
    record Segment(Tensor tensor, long firstElement, long elementCount, long fileOffset) {
        long byteCount() {
            return elementCount * tensor.spec().dtype().byteWidth();
        }
    }

    /// Writes `segment` and returns the CRC-32C of its bytes.
    int write(Segment segment, FileChannel channel) throws IOException {
        MemorySegment block = take();
        try {
            CRC32C crc = new CRC32C();
            int width = segment.tensor().spec().dtype().byteWidth();
            long perBlock = BLOCK_BYTES / width;
            for (long done = 0; done < segment.elementCount(); done += perBlock) {
                long count = Math.min(perBlock, segment.elementCount() - done);
                MemorySegment part = block.asSlice(0, count * width);
                segment.tensor().read(segment.firstElement() + done, count, part);
                ByteBuffer bytes = part.asByteBuffer();
                crc.update(bytes.duplicate());
                long at = segment.fileOffset() + done * width;
                while (bytes.hasRemaining()) {
                    at += channel.write(bytes, at);
                }
                job.advance(part.byteSize());
            }
            return (int) crc.getValue();
        } finally {
            give(block);
        }
    }

    private MemorySegment take() {
        synchronized (idle) {
            @Nullable MemorySegment block = idle.poll();
            if (block != null) {
                return block;
            }
        }
        return arena.allocate(BLOCK_BYTES, 64);
    }

    private void give(MemorySegment block) {
        synchronized (idle) {
            idle.push(block);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
