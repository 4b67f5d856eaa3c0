package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/// A `BF16` or `F16` tensor as `F32`, which holds every value of either.
final class WidenedTensor implements Tensor {
    private static final int BLOCK_ELEMENTS = 1 << 16;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Tensor source;
    private final TensorSpec spec;

    private WidenedTensor(Tensor source) {
        this.source = source;
        this.spec = new TensorSpec(DType.F32, source.spec().shape());
    }

    /// Whether a tensor of `dtype` has to be widened to stand beside masters of `master`.
    static boolean applies(DType dtype, DType master) {
        return master == DType.F32 && (dtype == DType.BF16 || dtype == DType.F16);
    }

    static Tensor of(Tensor source, DType master) {
        return applies(source.spec().dtype(), master) ? new WidenedTensor(source) : source;
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        DType from = source.spec().dtype();
        int block = (int) Math.min(BLOCK_ELEMENTS, elementCount);
        byte[] bytes = new byte[block * from.byteWidth()];
        float[] floats = new float[block];
        MemorySegment narrow = MemorySegment.ofArray(bytes);
        for (long done = 0; done < elementCount; done += block) {
            int count = (int) Math.min(block, elementCount - done);
            source.read(firstElement + done, count, narrow);
            Elements.toFloats(from, narrow, floats, count);
            MemorySegment.copy(floats, 0, target, FLOAT, done * Float.BYTES, count);
        }
    }
}
