package dev.kintsugi.inspect;

/// The two inner loops of spectra, eight vectors at a time: a target is loaded and stored once for all eight.
final class Combine {
    private Combine() {}

    /// Adds `vectors[k] * vectors[k][pivot]` for all eight `k` to `target`, from index `from` on.
    static void add(double[] target, double[][] vectors, int pivot, int from) {
        double[] weights = new double[8];
        for (int k = 0; k < 8; k++) {
            weights[k] = vectors[k][pivot];
        }
        addWeighted(target, vectors, weights, from, target.length);
    }

    /// Adds `vectors[k] * weights[k]` for all eight `k` to `target`, from index `from` to before `to`.
    static void addWeighted(double[] target, double[][] vectors, double[] weights, int from, int to) {
        double[] a = vectors[0];
        double[] b = vectors[1];
        double[] c = vectors[2];
        double[] d = vectors[3];
        double[] e = vectors[4];
        double[] f = vectors[5];
        double[] g = vectors[6];
        double[] h = vectors[7];
        double p = weights[0];
        double q = weights[1];
        double r = weights[2];
        double s = weights[3];
        double t = weights[4];
        double u = weights[5];
        double v = weights[6];
        double w = weights[7];
        for (int i = from; i < to; i++) {
            target[i] +=
                    ((p * a[i] + q * b[i]) + (r * c[i] + s * d[i])) + ((t * e[i] + u * f[i]) + (v * g[i] + w * h[i]));
        }
    }

    /// Adds the dot product of `vectors[k]` with `other`, from index `from` to before `to`, to `sums[k]`.
    static void dot(double[][] vectors, double[] other, double[] sums, int from, int to) {
        double[] a = vectors[0];
        double[] b = vectors[1];
        double[] c = vectors[2];
        double[] d = vectors[3];
        double[] e = vectors[4];
        double[] f = vectors[5];
        double[] g = vectors[6];
        double[] h = vectors[7];
        double p = 0;
        double q = 0;
        double r = 0;
        double s = 0;
        double t = 0;
        double u = 0;
        double v = 0;
        double w = 0;
        for (int i = from; i < to; i++) {
            double x = other[i];
            p += a[i] * x;
            q += b[i] * x;
            r += c[i] * x;
            s += d[i] * x;
            t += e[i] * x;
            u += f[i] * x;
            v += g[i] * x;
            w += h[i] * x;
        }
        sums[0] += p;
        sums[1] += q;
        sums[2] += r;
        sums[3] += s;
        sums[4] += t;
        sums[5] += u;
        sums[6] += v;
        sums[7] += w;
    }
}
