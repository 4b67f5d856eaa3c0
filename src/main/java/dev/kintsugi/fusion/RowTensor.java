package dev.kintsugi.fusion;

import dev.kintsugi.numeric.ComputedTensor;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;

/// An embedding or head of a model with the rows of another vocabulary.
///
/// **Memory.** A few numbers for each row, and, once a row of no token was read, one row.
public final class RowTensor implements ComputedTensor {
    private final Tensor old;
    private final int[] own;
    private final RowSources others;
    private final TensorSpec spec;
    private final int width;
    private final Once<double[]> mean;

    /// @param own for each row the row of `old`, -1 where it is one of `others`
    RowTensor(Tensor old, int[] own, RowSources others, long rows) {
        this.old = old;
        this.own = own;
        this.others = others;
        this.spec = new TensorSpec(old.spec().dtype(), old.spec().shape().with(0, rows));
        this.width = Math.toIntExact(old.spec().shape().elementCountFrom(1));
        this.mean = new Once<>(this::meanRow);
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void compute(long firstElement, int count, double[] values) {
        double[] part = new double[Math.min(count, width)];
        for (int done = 0; done < count; ) {
            int row = (int) ((firstElement + done) / width);
            int from = (int) ((firstElement + done) % width);
            int length = Math.min(width - from, count - done);
            write(row, from, length, part);
            System.arraycopy(part, 0, values, done, length);
            done += length;
        }
    }

    private void write(int row, int from, int count, double[] values) {
        if (own[row] >= 0) {
            ComputedTensor.decode(old, (long) own[row] * width + from, count, values);
        } else if (others.isUsed(row)) {
            others.write(row, width, from, count, values);
        } else {
            System.arraycopy(mean.get(), from, values, 0, count);
        }
    }

    /// The mean of the rows of tokens, for those of none.
    private double[] meanRow() {
        double[] sum = new double[width];
        double[] one = new double[width];
        int used = 0;
        for (int row = 0; row < own.length; row++) {
            if (others.isUsed(row)) {
                used++;
                write(row, 0, width, one);
                for (int i = 0; i < width; i++) {
                    sum[i] += one[i];
                }
            }
        }
        for (int i = 0; i < width; i++) {
            sum[i] /= used;
        }
        return sum;
    }
}
