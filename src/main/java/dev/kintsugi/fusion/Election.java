package dev.kintsugi.fusion;

import java.util.Arrays;

/// Adds up, element by element, the changes whose sign is that of a vote; a vote of 0 counts as +, a change
/// of 0 agrees with nobody, and where a change is NaN so is the sum.
///
/// Written without branches on the data, which cannot be predicted.
final class Election {
    private final double[] totals;
    private final double[] sums;
    private final double[] agreeing;

    Election(int count) {
        totals = new double[count];
        sums = new double[count];
        agreeing = new double[count];
    }

    /// The sums of what agrees, after [#hold].
    double[] sums() {
        return sums;
    }

    /// The sums of the shares of those that agree, after [#hold].
    double[] agreeing() {
        return agreeing;
    }

    /// Each of `changes` votes with its size; those that agree are added up times their factor, their shares
    /// as they are.
    void hold(double[][] changes, double[] factors, double[] shares, int count) {
        Arrays.fill(totals, 0, count, 0);
        Arrays.fill(sums, 0, count, 0);
        Arrays.fill(agreeing, 0, count, 0);
        for (double[] change : changes) {
            for (int j = 0; j < count; j++) {
                totals[j] += change[j];
            }
        }
        for (int i = 0; i < changes.length; i++) {
            add(changes[i], factors[i], shares[i], count);
        }
        for (int j = 0; j < count; j++) {
            if (Double.isNaN(totals[j])) {
                sums[j] = totals[j];
            }
        }
    }

    private void add(double[] change, double factor, double share, int count) {
        long shareBits = Double.doubleToRawLongBits(share);
        for (int j = 0; j < count; j++) {
            long bits = Double.doubleToRawLongBits(change[j]);
            long winner = Double.doubleToRawLongBits(totals[j] + 0.0);
            long magnitude = bits & Long.MAX_VALUE;
            long agrees = ~((bits ^ winner) >> 63) & (-magnitude >> 63);
            sums[j] += factor * Double.longBitsToDouble(bits & agrees);
            agreeing[j] += Double.longBitsToDouble(shareBits & agrees);
        }
    }
}
