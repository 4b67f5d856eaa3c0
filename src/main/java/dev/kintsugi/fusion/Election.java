package dev.kintsugi.fusion;

import java.util.Arrays;

/// Adds up, element by element, the changes whose sign is that of a vote; a vote of 0 counts as +, a change
/// of 0 agrees with nobody, and where a change is NaN so is the sum.
///
/// Written without branches on the data, which cannot be predicted, in arithmetic that the compiler turns into vectors.
final class Election {
    /// How many elements it holds at most: its arrays stay in the first cache.
    static final int TILE = 1024;

    private final double[] signs = new double[TILE];
    private final double[] sums = new double[TILE];
    private final double[] agreeing = new double[TILE];

    /// A tile of one change: the compiler makes vectors of arrays only where one index serves them all.
    private final double[] change = new double[TILE];

    /// The sums of what agrees, after [#hold].
    double[] sums() {
        return sums;
    }

    /// The sums of the shares of those that agree, after [#hold].
    double[] agreeing() {
        return agreeing;
    }

    /// Of elements `[from, from + count)`, each of `changes` votes with its size; those that agree are added up times
    /// their factor, their shares as they are.
    void hold(double[][] changes, double[] factors, double[] shares, int from, int count) {
        Arrays.fill(signs, 0, count, 0);
        Arrays.fill(sums, 0, count, 0);
        Arrays.fill(agreeing, 0, count, 0);
        for (double[] all : changes) {
            System.arraycopy(all, from, change, 0, count);
            for (int j = 0; j < count; j++) {
                signs[j] += change[j];
            }
        }
        for (int j = 0; j < count; j++) {
            signs[j] = Math.signum(Math.signum(signs[j]) + 0.5);
        }
        for (int i = 0; i < changes.length; i++) {
            System.arraycopy(changes[i], from, change, 0, count);
            add(factors[i], shares[i], count);
        }
    }

    /// A change times the sign of the vote is above 0 where it agrees. NaN in either makes the sum NaN.
    private void add(double factor, double share, int count) {
        for (int j = 0; j < count; j++) {
            double along = signs[j] * change[j];
            sums[j] += factor * (signs[j] * Math.max(along, 0));
            agreeing[j] += share * Math.max(Math.signum(along), 0);
        }
    }
}
