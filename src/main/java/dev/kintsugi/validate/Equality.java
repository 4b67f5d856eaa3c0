package dev.kintsugi.validate;

import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/// Compares tensors bit for bit, block by block.
final class Equality {
    private static final int BLOCK_BYTES = 1 << 20;

    private Equality() {}

    /// The index of the first element in which two tensors of one spec differ.
    static OptionalLong firstDifference(Tensor a, Tensor b, Job job) {
        int width = a.spec().dtype().byteWidth();
        long blockElements = BLOCK_BYTES / width;
        long count = a.spec().elementCount();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment left = arena.allocate(BLOCK_BYTES);
            MemorySegment right = arena.allocate(BLOCK_BYTES);
            for (long from = 0; from < count; from += blockElements) {
                long length = Math.min(blockElements, count - from);
                a.read(from, length, left.asSlice(0, length * width));
                b.read(from, length, right.asSlice(0, length * width));
                long mismatch = MemorySegment.mismatch(left, 0, length * width, right, 0, length * width);
                if (mismatch >= 0) {
                    return OptionalLong.of(from + mismatch / width);
                }
                job.check();
            }
        }
        return OptionalLong.empty();
    }
}
