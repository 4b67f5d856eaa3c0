package dev.kintsugi.export;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.DoubleAccumulator;

/// What casts lost, over all tensors. Any thread may add.
public final class CastLoss {
    private final AtomicLong values = new AtomicLong();
    private final AtomicLong overflowed = new AtomicLong();
    private final AtomicLong underflowed = new AtomicLong();
    private final DoubleAccumulator largestRelativeError = new DoubleAccumulator(Math::max, 0);

    void add(double[] before, double[] after, int count) {
        long over = 0;
        long under = 0;
        double largest = 0;
        for (int i = 0; i < count; i++) {
            double exact = before[i];
            double rounded = after[i];
            if (exact == rounded || !Double.isFinite(exact)) {
                continue;
            }
            if (!Double.isFinite(rounded)) {
                over++;
            } else if (rounded == 0) {
                under++;
            } else {
                largest = Math.max(largest, Math.abs((rounded - exact) / exact));
            }
        }
        values.addAndGet(count);
        overflowed.addAndGet(over);
        underflowed.addAndGet(under);
        largestRelativeError.accumulate(largest);
    }

    /// How many values were cast.
    public long values() {
        return values.get();
    }

    /// Finite values that became infinite or NaN.
    public long overflowed() {
        return overflowed.get();
    }

    /// Values other than zero that became zero.
    public long underflowed() {
        return underflowed.get();
    }

    /// The largest |rounded − exact| / |exact| of the others.
    public double largestRelativeError() {
        return largestRelativeError.get();
    }
}
