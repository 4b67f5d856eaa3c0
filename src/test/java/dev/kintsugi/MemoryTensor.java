package dev.kintsugi;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Random;

/// A tensor of bytes the test made up.
@SuppressWarnings("ArrayRecordComponent")
public record MemoryTensor(TensorSpec spec, byte[] bytes) implements Tensor {
    public MemoryTensor {
        if (bytes.length != spec.byteCount()) {
            throw new IllegalArgumentException(bytes.length + " bytes for " + spec);
        }
    }

    /// `values`, rounded to `dtype`.
    public static MemoryTensor of(DType dtype, Shape shape, double... values) {
        byte[] bytes = new byte[Math.multiplyExact(values.length, dtype.byteWidth())];
        Elements.fromDoubles(dtype, values, MemorySegment.ofArray(bytes), values.length);
        return new MemoryTensor(new TensorSpec(dtype, shape), bytes);
    }

    /// `values` in one dim.
    public static MemoryTensor row(DType dtype, double... values) {
        return of(dtype, Shape.of(values.length), values);
    }

    /// Any bit patterns, NaN and infinities among them.
    public static MemoryTensor patterns(DType dtype, Shape shape, Random random) {
        byte[] bytes = new byte[Math.toIntExact(new TensorSpec(dtype, shape).byteCount())];
        random.nextBytes(bytes);
        return new MemoryTensor(new TensorSpec(dtype, shape), bytes);
    }

    /// Normally distributed around `mean`.
    public static MemoryTensor gaussian(DType dtype, Shape shape, double mean, double std, Random random) {
        double[] values = random.doubles(shape.elementCount())
                .map(_ -> mean + std * random.nextGaussian())
                .toArray();
        return of(dtype, shape, values);
    }

    /// Scalars one by one; a complex number is two.
    public double[] scalars() {
        DType dtype = spec.dtype() == DType.C64 ? DType.F32 : spec.dtype();
        double[] values = new double[bytes.length / dtype.byteWidth()];
        double[] one = new double[1];
        for (int i = 0; i < values.length; i++) {
            long from = (long) i * dtype.byteWidth();
            Elements.toDoubles(dtype, MemorySegment.ofArray(bytes).asSlice(from), one, 1);
            values[i] = one[0];
        }
        return values;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        int width = spec.dtype().byteWidth();
        MemorySegment.copy(MemorySegment.ofArray(bytes), firstElement * width, target, 0, elementCount * width);
    }
}
