package dev.kintsugi.architecture;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A weight with its adapter merged in: `W + scale · B·A`, summed in `double` over the rank in order, rounded
/// once.
///
/// **Memory.** The factors, decoded at the first read, and a block.
final class LoraTensor implements Tensor {
    private static final int BLOCK = 4096;

    private final Tensor base;
    private final LoraPair pair;
    private final double scale;
    private final long columns;
    private volatile @Nullable Factors factors;

    LoraTensor(Tensor base, LoraPair pair, double scale) {
        this.base = base;
        this.pair = pair;
        this.scale = scale;
        this.columns = base.spec().shape().dim(1);
    }

    @Override
    public TensorSpec spec() {
        return base.spec();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec().elementCount());
        Factors decoded = factors();
        DType dtype = spec().dtype();
        int width = dtype.byteWidth();
        base.read(firstElement, elementCount, target);
        double[] block = new double[(int) Math.min(BLOCK, elementCount)];
        for (long done = 0; done < elementCount; done += BLOCK) {
            int count = (int) Math.min(BLOCK, elementCount - done);
            MemorySegment part = target.asSlice(done * width, (long) count * width);
            Elements.toDoubles(dtype, part, block, count);
            for (int i = 0; i < count; i++) {
                block[i] += scale * product(decoded.a, decoded.b, firstElement + done + i);
            }
            Elements.fromDoubles(dtype, block, part, count);
        }
    }

    private double product(double[] a, double[] b, long element) {
        int rank = (int) pair.rank();
        long row = element / columns;
        long column = element % columns;
        long out = pair.embedding() ? column : row;
        long in = pair.embedding() ? row : column;
        long inCount = pair.a().spec().shape().dim(1);
        double sum = 0;
        for (int k = 0; k < rank; k++) {
            sum += b[(int) (out * rank + k)] * a[(int) (k * inCount + in)];
        }
        return sum;
    }

    private Factors factors() {
        Factors known = factors;
        if (known == null) {
            known = new Factors(decode(pair.a()), decode(pair.b()));
            factors = known;
        }
        return known;
    }

    /// Both factors, decoded, row-major.
    @SuppressWarnings("ArrayRecordComponent")
    private record Factors(double[] a, double[] b) {}

    private static double[] decode(Tensor tensor) {
        int count = Math.toIntExact(tensor.spec().elementCount());
        MemorySegment bytes =
                MemorySegment.ofArray(new byte[Math.toIntExact(tensor.spec().byteCount())]);
        tensor.read(0, count, bytes);
        double[] values = new double[count];
        Elements.toDoubles(tensor.spec().dtype(), bytes, values, count);
        return values;
    }
}
