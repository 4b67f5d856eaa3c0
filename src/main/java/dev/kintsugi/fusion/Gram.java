package dev.kintsugi.fusion;

/// Inner products of N vectors with each other, for each of some groups of elements, summed in `double`.
///
/// **Order.** Blocks ascending, within a block four interleaved sums: the same result on every run.
/// **Memory.** `groups · N(N+1)/2` doubles.
final class Gram {
    private final int vectors;
    private final int groups;
    private final double[] sums;

    Gram(int vectors, int groups) {
        this.vectors = vectors;
        this.groups = groups;
        this.sums = new double[Math.multiplyExact(groups, vectors * (vectors + 1) / 2)];
    }

    int vectors() {
        return vectors;
    }

    int groups() {
        return groups;
    }

    /// `⟨v_i, v_k⟩` over the elements of `group`.
    double product(int group, int i, int k) {
        return sums[index(group, i, k)];
    }

    double norm(int group, int i) {
        return Math.sqrt(product(group, i, i));
    }

    private int index(int group, int i, int k) {
        int low = Math.min(i, k);
        int high = Math.max(i, k);
        return group * (vectors * (vectors + 1) / 2) + high * (high + 1) / 2 + low;
    }

    /// Adds the products of `count` elements beginning at element `first`.
    void add(Grouping grouping, long first, int count, double[][] v) {
        if (grouping.inner() == 1 && grouping.period() > 1) {
            addColumns(grouping.period(), first, count, v);
            return;
        }
        grouping.runs(first, count, (group, from, to) -> {
            int at = index(group, 0, 0);
            for (int k = 0; k < vectors; k++) {
                for (int i = 0; i <= k; i++) {
                    sums[at++] += dot(v[i], v[k], from, to);
                }
            }
        });
    }

    private void addColumns(long period, long first, int count, double[][] v) {
        int pairs = vectors * (vectors + 1) / 2;
        int group = (int) (first % period);
        for (int j = 0; j < count; j++) {
            int at = group * pairs;
            for (int k = 0; k < vectors; k++) {
                for (int i = 0; i <= k; i++) {
                    sums[at++] += v[i][j] * v[k][j];
                }
            }
            group++;
            if (group == period) {
                group = 0;
            }
        }
    }

    private static double dot(double[] a, double[] b, int from, int to) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int j = from;
        for (; j + 3 < to; j += 4) {
            s0 += a[j] * b[j];
            s1 += a[j + 1] * b[j + 1];
            s2 += a[j + 2] * b[j + 2];
            s3 += a[j + 3] * b[j + 3];
        }
        for (; j < to; j++) {
            s0 += a[j] * b[j];
        }
        return (s0 + s1) + (s2 + s3);
    }
}
