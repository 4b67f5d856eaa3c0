package dev.kintsugi.numeric;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/// Walks over elements of a tensor in blocks, copied into a buffer that is used again.
///
/// **Units.** A block is at most [#BLOCK_BYTES] of dense little-endian bytes; [#doubles] decodes tiles of at
/// most [#TILE] scalars out of it, small enough for the first cache. A complex number counts as two scalars.
/// **Threads.** One at a time; [Pool] lends one to each.
public final class BlockReader {
    /// Bytes copied out of a tensor at once.
    public static final int BLOCK_BYTES = 1 << 20;

    /// Scalars decoded at once.
    public static final int TILE = 1024;

    private final MemorySegment buffer = MemorySegment.ofArray(new byte[BLOCK_BYTES]);
    private final float[] floats = new float[TILE];

    /// What to do with one block: its bytes, the element it begins with and the elements it has.
    @FunctionalInterface
    public interface Block {
        void accept(MemorySegment bytes, long firstElement, int elementCount);
    }

    /// The dtype of the scalars `dtype` consists of: `F32` for `C64`, otherwise itself.
    public static DType scalarType(DType dtype) {
        return dtype == DType.C64 ? DType.F32 : dtype;
    }

    /// How many scalars one element of `dtype` has: 2 for a complex number, otherwise 1.
    public static int scalarsPerElement(DType dtype) {
        return dtype == DType.C64 ? 2 : 1;
    }

    /// Elements of `dtype` in one whole block.
    public static int blockElements(DType dtype) {
        return BLOCK_BYTES / dtype.byteWidth();
    }

    /// Reads `span` of `tensor`; `progress` is told the bytes of each block once it is done.
    public void forEach(Tensor tensor, Span span, LongConsumer progress, Block action) {
        DType dtype = tensor.spec().dtype();
        int step = blockElements(dtype);
        long end = Math.addExact(span.firstElement(), span.elementCount());
        for (long from = span.firstElement(); from < end; from += step) {
            int count = (int) Math.min(step, end - from);
            action.accept(read(tensor, from, count), from, count);
            progress.accept((long) count * dtype.byteWidth());
        }
    }

    /// Elements `[firstElement, firstElement + elementCount)`; good until the next read.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if they are more than a block.
    public MemorySegment read(Tensor tensor, long firstElement, int elementCount) {
        long bytes = (long) elementCount * tensor.spec().dtype().byteWidth();
        MemorySegment target = buffer.asSlice(0, bytes);
        tensor.read(firstElement, elementCount, target);
        return target;
    }

    /// Decodes `count` scalars of `dtype`, at most [#TILE], from scalar `first` of `bytes` on into `target`.
    public void doubles(DType dtype, MemorySegment bytes, int first, double[] target, int count) {
        MemorySegment source = bytes.asSlice((long) first * dtype.byteWidth(), (long) count * dtype.byteWidth());
        if (isExactAsFloat(dtype)) {
            Elements.toFloats(dtype, source, floats, count);
            widen(floats, target, count);
            return;
        }
        Elements.toDoubles(dtype, source, target, count);
    }

    private static boolean isExactAsFloat(DType dtype) {
        return switch (dtype) {
            case F64, U64, I64, U32, I32 -> false;
            case F32, BF16, F16, U16, I16, F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E8M0, F8_E4M3, F8_E5M2, I8, U8, BOOL -> true;
            case C64 -> throw new IllegalArgumentException("a complex number is two scalars of F32");
        };
    }

    private static void widen(float[] source, double[] target, int count) {
        for (int i = 0; i < count; i++) {
            target[i] = source[i];
        }
    }

    /// Things to compute with that many tasks use one after the other: as many are made as threads use them
    /// at once.
    public static final class Pool<T> {
        private final ConcurrentLinkedQueue<T> idle = new ConcurrentLinkedQueue<>();
        private final Supplier<T> make;

        public Pool(Supplier<T> make) {
            this.make = make;
        }

        /// Lends one to `task`.
        public <R> R with(Function<T, R> task) {
            T taken = idle.poll();
            T lent = taken == null ? make.get() : taken;
            try {
                return task.apply(lent);
            } finally {
                idle.add(lent);
            }
        }
    }
}
