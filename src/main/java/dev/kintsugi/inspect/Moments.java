package dev.kintsugi.inspect;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.CompensatedSum;
import dev.kintsugi.tensor.DType;
import java.util.Optional;

/// Running moments of elements. Not thread safe.
///
/// **Source.** Merging second moments: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for
/// computing sample variances" (1979).
final class Moments {
    private long finite;
    private long nan;
    private long positiveInfinite;
    private long negativeInfinite;
    private long zeros;
    private long subnormal;
    private double min = Double.POSITIVE_INFINITY;
    private double max = Double.NEGATIVE_INFINITY;
    private final CompensatedSum sum = new CompensatedSum();
    private final CompensatedSum squares = new CompensatedSum();
    private double centredSquares;

    /// The smallest normal magnitude of `dtype`; 0 if it has no subnormal numbers.
    static double smallestNormal(DType dtype) {
        return switch (dtype) {
            case F64 -> Double.MIN_NORMAL;
            case F32, C64, BF16 -> Float.MIN_NORMAL;
            case F16, F8_E5M2 -> 0x1p-14;
            case F8_E5M2FNUZ -> 0x1p-15;
            case F8_E4M3 -> 0x1p-6;
            case F8_E4M3FNUZ -> 0x1p-7;
            case F8_E8M0, U64, I64, U32, I32, U16, I16, I8, U8, BOOL -> 0;
        };
    }

    /// Adds all of `block`: as if all were finite, and once more without the others where that fails.
    void add(Sweep.Block block) {
        Lanes lanes = block.lanes();
        lanes.reset(0);
        block.tiles((values, first, count) -> {
            if (first == block.first()) {
                lanes.reset(centre(values, count));
            }
            lanes.add(values, count);
        });
        double least = lanes.least();
        double greatest = lanes.greatest();
        if (isFinite(least) && isFinite(greatest)) {
            addLanes(lanes, block.count(), least, greatest);
            if (lanes.smallest() == 0 || lanes.smallest() < smallestNormal(block.dtype())) {
                countSmall(block);
            }
            return;
        }
        addFinite(block);
        countSmall(block);
    }

    /// A value near the mean, about which second moments cancel little.
    private static double centre(double[] values, int count) {
        int some = Math.min(count, 64);
        double total = 0;
        for (int i = 0; i < some; i++) {
            total += isFinite(values[i]) ? values[i] / some : 0;
        }
        return total;
    }

    private static boolean isFinite(double value) {
        return Math.abs(value) <= Double.MAX_VALUE;
    }

    /// Counts what is not finite and adds the rest.
    private void addFinite(Sweep.Block block) {
        Lanes lanes = block.lanes();
        lanes.reset(isFinite(lanes.centre()) ? lanes.centre() : 0);
        double[] kept = new double[BlockReader.TILE];
        long before = nan + positiveInfinite + negativeInfinite;
        block.tiles((values, first, count) -> lanes.add(kept, setAside(values, count, kept)));
        long added = block.count() - (nan + positiveInfinite + negativeInfinite - before);
        if (added > 0) {
            addLanes(lanes, added, lanes.least(), lanes.greatest());
        }
    }

    private int setAside(double[] values, int count, double[] target) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            double value = values[i];
            if (isFinite(value)) {
                target[kept++] = value;
            } else if (Double.isNaN(value)) {
                nan++;
            } else if (value > 0) {
                positiveInfinite++;
            } else {
                negativeInfinite++;
            }
        }
        return kept;
    }

    private void addLanes(Lanes lanes, long count, double least, double greatest) {
        min = Math.min(min, least);
        max = Math.max(max, greatest);
        double deviations = lanes.deviations();
        double centred = Math.max(0, lanes.squaredDeviations() - deviations * deviations / count);
        mergeCentred(count, lanes.centre() * count + deviations, centred);
        squares.add(lanes.squares());
    }

    private void countSmall(Sweep.Block block) {
        double bound = smallestNormal(block.dtype());
        block.tiles((values, first, count) -> {
            int none = below(values, count, Double.MIN_VALUE);
            zeros += none;
            if (bound > 0) {
                subnormal += below(values, count, bound) - none;
            }
        });
    }

    private static int below(double[] values, int count, double bound) {
        int below = 0;
        for (int i = 0; i < count; i++) {
            below += Math.abs(values[i]) < bound ? 1 : 0;
        }
        return below;
    }

    private void mergeCentred(long otherCount, double otherSum, double otherCentred) {
        if (finite > 0) {
            double delta = otherSum / otherCount - sum.value() / finite;
            centredSquares += delta * delta * ((double) finite * otherCount / (finite + otherCount));
        }
        centredSquares += otherCentred;
        finite += otherCount;
        sum.add(otherSum);
    }

    /// Adds what `other` saw after what this one saw.
    void merge(Moments other) {
        nan += other.nan;
        positiveInfinite += other.positiveInfinite;
        negativeInfinite += other.negativeInfinite;
        zeros += other.zeros;
        subnormal += other.subnormal;
        if (other.finite > 0) {
            min = Math.min(min, other.min);
            max = Math.max(max, other.max);
            mergeCentred(other.finite, other.sum.value(), other.centredSquares);
            squares.add(other.squares.value());
        }
    }

    ElementStats toStats() {
        long count = finite + nan + positiveInfinite + negativeInfinite;
        return new ElementStats(count, nan, positiveInfinite, negativeInfinite, zeros, subnormal, finite());
    }

    private Optional<ElementStats.Finite> finite() {
        if (finite == 0) {
            return Optional.empty();
        }
        // Adding 0 turns -0.0 into 0.0.
        return Optional.of(new ElementStats.Finite(
                finite,
                min + 0.0,
                max + 0.0,
                Math.max(Math.abs(min), Math.abs(max)),
                sum.value() / finite + 0.0,
                Math.sqrt(centredSquares / finite),
                Math.sqrt(squares.value())));
    }
}
