package dev.kintsugi.numeric;

/// A sum that remembers what rounding cut off.
///
/// **Source.** Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
public final class CompensatedSum {
    private double high;
    private double low;

    public void add(double value) {
        double next = high + value;
        low += Math.abs(high) >= Math.abs(value) ? (high - next) + value : (value - next) + high;
        high = next;
    }

    public double value() {
        // Once the sum overflows, the part cut off is NaN.
        return Double.isFinite(high) ? high + low : high;
    }
}
