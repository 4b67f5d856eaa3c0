package dev.kintsugi.numeric;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A tensor whose elements are computed in `double` when they are read, and rounded once to the dtype of its
/// spec.
///
/// Who computes with it further takes [#unrounded()], so that there is one rounding and not two.
public interface ComputedTensor extends Tensor {
    /// Writes elements `[firstElement, firstElement + count)` to the start of `values`.
    void compute(long firstElement, int count, double[] values);

    @Override
    default void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec().elementCount());
        DType dtype = spec().dtype();
        int width = dtype.byteWidth();
        double[] values = new double[(int) Math.min(BlockReader.TILE * 4, elementCount)];
        for (long done = 0; done < elementCount; done += values.length) {
            int count = (int) Math.min(values.length, elementCount - done);
            compute(firstElement + done, count, values);
            Elements.fromDoubles(dtype, values, target.asSlice(done * width, (long) count * width), count);
        }
    }

    @Override
    default Tensor unrounded() {
        return new UnroundedTensor(this);
    }

    /// Elements `[firstElement, firstElement + count)` of any tensor, as exact as they are known.
    static void decode(Tensor tensor, long firstElement, int count, double[] values) {
        if (tensor instanceof ComputedTensor computed) {
            computed.compute(firstElement, count, values);
            return;
        }
        DType dtype = tensor.spec().dtype();
        MemorySegment bytes = MemorySegment.ofArray(new byte[Math.multiplyExact(count, dtype.byteWidth())]);
        tensor.read(firstElement, count, bytes);
        Elements.toDoubles(dtype, bytes, values, count);
    }
}
