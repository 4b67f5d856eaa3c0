package dev.kintsugi.inspect;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.CompensatedSum;
import java.util.Arrays;

/// Sums and extremes of tiles, lane by lane: lane `i` sees element `i` of every tile.
///
/// Loops over arrays with the same index are what the compiler turns into vector instructions, and the order of
/// additions stays fixed.
final class Lanes {
    private final double[] least = new double[BlockReader.TILE];
    private final double[] greatest = new double[BlockReader.TILE];
    private final double[] smallest = new double[BlockReader.TILE];
    private final double[] sums = new double[BlockReader.TILE];
    private final double[] squares = new double[BlockReader.TILE];
    private final double[] centred = new double[BlockReader.TILE];
    private double centre;

    /// Forgets everything; second moments will be taken about `newCentre`.
    void reset(double newCentre) {
        centre = newCentre;
        Arrays.fill(least, Double.POSITIVE_INFINITY);
        Arrays.fill(greatest, Double.NEGATIVE_INFINITY);
        Arrays.fill(smallest, Double.POSITIVE_INFINITY);
        Arrays.fill(sums, 0);
        Arrays.fill(squares, 0);
        Arrays.fill(centred, 0);
    }

    void add(double[] values, int count) {
        extremes(values, least, greatest, count);
        magnitudes(values, smallest, squares, count);
        deviations(values, sums, centred, centre, count);
    }

    double centre() {
        return centre;
    }

    /// The least element; NaN if there is a NaN.
    double least() {
        double result = Double.POSITIVE_INFINITY;
        for (double value : least) {
            result = Math.min(result, value);
        }
        return result;
    }

    /// The greatest element; NaN if there is a NaN.
    double greatest() {
        double result = Double.NEGATIVE_INFINITY;
        for (double value : greatest) {
            result = Math.max(result, value);
        }
        return result;
    }

    /// The smallest magnitude.
    double smallest() {
        double result = Double.POSITIVE_INFINITY;
        for (double value : smallest) {
            result = Math.min(result, value);
        }
        return result;
    }

    /// The sum of deviations from the centre.
    double deviations() {
        return total(sums);
    }

    /// The sum of squared deviations from the centre.
    double squaredDeviations() {
        return total(centred);
    }

    /// The sum of squares.
    double squares() {
        return total(squares);
    }

    private static double total(double[] lanes) {
        CompensatedSum sum = new CompensatedSum();
        for (double lane : lanes) {
            sum.add(lane);
        }
        return sum.value();
    }

    private static void extremes(double[] values, double[] least, double[] greatest, int count) {
        for (int i = 0; i < count; i++) {
            least[i] = Math.min(least[i], values[i]);
            greatest[i] = Math.max(greatest[i], values[i]);
        }
    }

    private static void magnitudes(double[] values, double[] smallest, double[] squares, int count) {
        for (int i = 0; i < count; i++) {
            smallest[i] = Math.min(smallest[i], Math.abs(values[i]));
            squares[i] += values[i] * values[i];
        }
    }

    private static void deviations(double[] values, double[] sums, double[] centred, double centre, int count) {
        for (int i = 0; i < count; i++) {
            double deviation = values[i] - centre;
            sums[i] += deviation;
            centred[i] += deviation * deviation;
        }
    }
}
