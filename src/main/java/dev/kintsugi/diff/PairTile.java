package dev.kintsugi.diff;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.CompensatedSum;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/// Decoded scalars of both tensors and, lane by lane, the sums of all tiles of a block.
///
/// Loops over arrays with the same index are what the compiler turns into vector instructions, and the order of
/// additions stays fixed.
final class PairTile {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    final double[] a = new double[BlockReader.TILE];
    final double[] b = new double[BlockReader.TILE];
    private final double[] distances = new double[BlockReader.TILE];
    private final double[] squaresOfDifference = new double[BlockReader.TILE];
    private final double[] squaresOfA = new double[BlockReader.TILE];
    private final double[] squaresOfB = new double[BlockReader.TILE];
    private final double[] products = new double[BlockReader.TILE];
    private final double[] maxAbs = new double[BlockReader.TILE];
    private final double[] maxRelative = new double[BlockReader.TILE];

    void reset() {
        Arrays.fill(squaresOfDifference, 0);
        Arrays.fill(squaresOfA, 0);
        Arrays.fill(squaresOfB, 0);
        Arrays.fill(products, 0);
        Arrays.fill(maxAbs, 0);
        Arrays.fill(maxRelative, 0);
    }

    void subtract(int count) {
        subtract(a, b, distances, count);
    }

    /// Finds the difference of 64-bit integers that are the same as doubles.
    void subtractLongs(MemorySegment bytesOfA, MemorySegment bytesOfB, int first, int count) {
        for (int i = 0; i < count; i++) {
            if (distances[i] == 0) {
                long offset = 8L * (first + i);
                distances[i] = Math.abs((double) (bytesOfA.get(LONG, offset) - bytesOfB.get(LONG, offset)));
            }
        }
    }

    /// Adds `count` scalars in `a` that are the same in `b`.
    void addEqual(int count) {
        for (int i = 0; i < count; i++) {
            double square = a[i] * a[i];
            squaresOfA[i] += square;
            squaresOfB[i] += square;
            products[i] += square;
        }
    }

    /// Adds `count` pairs, subtracted before, as if all were finite; the first is scalar `first` of its tensor.
    void addFinite(int count, long first, Tolerances tolerances, Differences into) {
        addSquares(a, b, squaresOfA, squaresOfB, products, count);
        addDistances(distances, squaresOfDifference, maxAbs, count);
        addRelative(a, b, distances, maxRelative, count);
        int differing = countAbove(distances, count);
        if (differing > 0) {
            into.differing += differing;
            into.outside += countOutside(b, distances, tolerances.rtol(), tolerances.atol(), count);
            if (into.first.isEmpty()) {
                into.first = Optional.of(first + firstAbove(distances));
            }
        }
    }

    /// Adds the sums of the block to `into`. Whether all scalars were finite, so that what it holds is true.
    boolean finish(Differences into) {
        double ofA = total(squaresOfA);
        double ofB = total(squaresOfB);
        if (!Double.isFinite(ofA) || !Double.isFinite(ofB)) {
            return false;
        }
        into.addSums(total(squaresOfDifference), ofA, ofB, total(products));
        into.maxAbs = Arrays.stream(maxAbs).max().orElse(0);
        into.maxRelative = Arrays.stream(maxRelative).max().orElse(0);
        return true;
    }

    /// Adds pair `i`, subtracted before, whatever its values; it is scalar `scalar` of its tensor. Whether
    /// both are finite.
    boolean addOne(int i, long scalar, Tolerances tolerances, Differences into) {
        double x = a[i];
        double y = b[i];
        into.scalars++;
        if (Double.isFinite(x) && Double.isFinite(y)) {
            double distance = distances[i];
            into.finitePairs++;
            into.addSums(distance * distance, x * x, y * y, x * y);
            into.maxAbs = Math.max(into.maxAbs, distance);
            into.maxRelative = Math.max(into.maxRelative, relative(x, y, distance));
            if (distance != 0) {
                differs(scalar, into);
                into.outside += distance <= tolerances.atol() + tolerances.rtol() * Math.abs(y) ? 0 : 1;
            }
            return true;
        }
        boolean same = x == y || (Double.isNaN(x) && Double.isNaN(y));
        if (!same) {
            boolean nan = Double.isNaN(x) || Double.isNaN(y);
            into.nanMismatches += nan ? 1 : 0;
            into.infinityMismatches += nan ? 0 : 1;
            into.outside++;
            differs(scalar, into);
        }
        return false;
    }

    private static void differs(long scalar, Differences into) {
        into.differing++;
        if (into.first.isEmpty()) {
            into.first = Optional.of(scalar);
        }
    }

    private static double total(double[] lanes) {
        CompensatedSum sum = new CompensatedSum();
        for (double lane : lanes) {
            sum.add(lane);
        }
        return sum.value();
    }

    private static void subtract(double[] a, double[] b, double[] distances, int count) {
        for (int i = 0; i < count; i++) {
            distances[i] = Math.abs(a[i] - b[i]);
        }
    }

    private static void addSquares(double[] a, double[] b, double[] ofA, double[] ofB, double[] products, int count) {
        for (int i = 0; i < count; i++) {
            ofA[i] += a[i] * a[i];
            ofB[i] += b[i] * b[i];
            products[i] += a[i] * b[i];
        }
    }

    private static void addDistances(double[] distances, double[] squares, double[] maxAbs, int count) {
        for (int i = 0; i < count; i++) {
            squares[i] += distances[i] * distances[i];
            maxAbs[i] = Math.max(maxAbs[i], distances[i]);
        }
    }

    private static void addRelative(double[] a, double[] b, double[] distances, double[] maxRelative, int count) {
        for (int i = 0; i < count; i++) {
            maxRelative[i] = Math.max(maxRelative[i], relative(a[i], b[i], distances[i]));
        }
    }

    /// With the smallest number in place of zero, two zeros are 0 apart instead of NaN.
    private static double relative(double x, double y, double distance) {
        return distance / Math.max(Math.max(Math.abs(x), Math.abs(y)), Double.MIN_VALUE);
    }

    private static int countAbove(double[] distances, int count) {
        int above = 0;
        for (int i = 0; i < count; i++) {
            above += distances[i] > 0 ? 1 : 0;
        }
        return above;
    }

    private static int countOutside(double[] b, double[] distances, double rtol, double atol, int count) {
        int inside = 0;
        for (int i = 0; i < count; i++) {
            inside += distances[i] <= atol + rtol * Math.abs(b[i]) ? 1 : 0;
        }
        return count - inside;
    }

    private static int firstAbove(double[] distances) {
        int i = 0;
        while (!(distances[i] > 0)) {
            i++;
        }
        return i;
    }
}
