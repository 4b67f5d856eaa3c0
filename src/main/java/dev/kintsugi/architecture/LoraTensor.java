package dev.kintsugi.architecture;

import dev.kintsugi.numeric.ComputedTensor;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import org.jspecify.annotations.Nullable;

/// A weight with its adapter merged in: `W + scale · B·A`, summed in `double` over the rank in order, rounded
/// once, after all adapters where one lies on another.
///
/// **Memory.** The factors, decoded at the first read, and a block.
final class LoraTensor implements ComputedTensor {
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
    public void compute(long firstElement, int count, double[] values) {
        Factors decoded = factors();
        ComputedTensor.decode(base, firstElement, count, values);
        for (int i = 0; i < count; i++) {
            values[i] += scale * product(decoded.a, decoded.b, firstElement + i);
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
        double[] values = new double[count];
        ComputedTensor.decode(tensor, 0, count, values);
        return values;
    }
}
