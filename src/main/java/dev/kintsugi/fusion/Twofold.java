package dev.kintsugi.fusion;

/// A sum of products in about twice the precision of `double`, for sums that nearly cancel.
///
/// **Source.** Ogita, Rump, Oishi, "Accurate sum and dot product" (2005), Dot2.
final class Twofold {
    private double high;
    private double low;

    void add(double value) {
        double next = high + value;
        double part = next - high;
        low += (high - (next - part)) + (value - part);
        high = next;
    }

    void addProduct(double a, double b) {
        double product = a * b;
        low += Math.fma(a, b, -product);
        add(product);
    }

    /// Adds `a · (b + rest)`, `rest` being far smaller than `b`.
    void addProduct(double a, double b, double rest) {
        addProduct(a, b);
        low += a * rest;
    }

    double high() {
        return high + low;
    }

    /// What [#high()] leaves of the sum.
    double rest() {
        double sum = high + low;
        return low - (sum - high);
    }
}
