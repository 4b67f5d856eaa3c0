package dev.kintsugi.fusion;

import java.util.Arrays;

/// Inner products of N vectors with each other, for each of some groups of elements, summed in `double`.
///
/// **Order.** Blocks ascending, within a block four interleaved sums: the same result on every run.
/// **Memory.** `groups · N(N+1)/2` doubles, exact ones four times as many.
final class Gram {
    private final int vectors;
    private final int groups;
    private final double[] sums;
    private final Twofold[] exact;

    Gram(int vectors, int groups) {
        this(vectors, groups, false);
    }

    private Gram(int vectors, int groups, boolean exact) {
        this.vectors = vectors;
        this.groups = groups;
        int products = Math.multiplyExact(groups, vectors * (vectors + 1) / 2);
        this.sums = new double[exact ? 0 : products];
        this.exact = new Twofold[exact ? products : 0];
        Arrays.setAll(this.exact, i -> new Twofold());
    }

    /// One that is summed in twice the precision, for vectors that nearly cancel.
    static Gram exact(int vectors, int groups) {
        return new Gram(vectors, groups, true);
    }

    int vectors() {
        return vectors;
    }

    int groups() {
        return groups;
    }

    /// `⟨v_i, v_k⟩` over the elements of `group`.
    double product(int group, int i, int k) {
        int at = index(group, i, k);
        return exact.length > 0 ? exact[at].high() : sums[at];
    }

    /// What [#product] leaves of the product, where it is known.
    double rest(int group, int i, int k) {
        return exact.length > 0 ? exact[index(group, i, k)].rest() : 0;
    }

    /// `⟨Σ c_k v_k, v_i⟩`.
    double along(int group, double[] c, int i) {
        Twofold sum = new Twofold();
        for (int k = 0; k < vectors; k++) {
            sum.addProduct(c[k], product(group, i, k), rest(group, i, k));
        }
        return sum.high();
    }

    /// `‖Σ c_i v_i‖`.
    double norm(int group, double[] c) {
        Twofold square = new Twofold();
        for (int i = 0; i < vectors; i++) {
            for (int k = 0; k < vectors; k++) {
                double weight = c[i] * c[k];
                square.addProduct(weight, product(group, i, k), rest(group, i, k));
                square.add(Math.fma(c[i], c[k], -weight) * product(group, i, k));
            }
        }
        return Math.sqrt(Math.max(0, square.high()));
    }

    /// The angle between `Σ c_k v_k` and `v_i`.
    Angle angle(int group, double[] c, int i) {
        double[] only = new double[vectors];
        only[i] = 1;
        double length = norm(group, c);
        double other = norm(group, only);
        double cosine = along(group, c, i) / (length * other);
        double[] across = c.clone();
        across[i] -= cosine * length / other;
        return new Angle(cosine, norm(group, across) / length);
    }

    /// An angle by its cosine and sine, which say more of one near 0 or π than its number does.
    record Angle(double cosine, double sine) {
        double value() {
            return Math.atan2(sine, cosine);
        }

        /// `sin(t · θ)`, exact also where that is nearly π.
        double sineOf(double t) {
            return cosine < 0 && t > 0.5
                    ? Math.sin(Math.atan2(sine, -cosine) + (1 - t) * value())
                    : Math.sin(t * value());
        }
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
        if (grouping.inner() == 1 && grouping.period() > 1 && exact.length == 0) {
            addColumns(grouping.period(), first, count, v);
            return;
        }
        if (exact.length > 0) {
            addExactly(grouping, first, count, v);
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

    private void addExactly(Grouping grouping, long first, int count, double[][] v) {
        grouping.runs(first, count, (group, from, to) -> {
            int at = index(group, 0, 0);
            for (int k = 0; k < vectors; k++) {
                for (int i = 0; i <= k; i++) {
                    Twofold sum = exact[at++];
                    for (int j = from; j < to; j++) {
                        sum.addProduct(v[i][j], v[k][j]);
                    }
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
