package dev.kintsugi.inspect;

import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/// How the elements of tensors are distributed. Bins cover the finite elements exactly, from the least to the
/// greatest.
///
/// @param count all elements; the bins, `zeros` of the log scale and what is not finite add up to it
/// @param zeros elements that are zero; on the linear scale they are in the bins too
public record Histogram(
        Scale scale, List<Bin> bins, long count, long zeros, long nan, long positiveInfinite, long negativeInfinite) {
    /// What the bins divide evenly.
    public enum Scale {
        /// Values.
        LINEAR,
        /// Logarithms of magnitudes, zeros left out.
        LOG
    }

    /// Elements (on the log scale: magnitudes) in `[low, high)`; the last bin has its `high` too.
    public record Bin(double low, double high, long count) {}

    public Histogram {
        bins = List.copyOf(bins);
    }

    /// Reads every selected tensor twice: for the range, then to count. `binCount` is at least 1; there are
    /// no bins without a finite element, and one where all are equal.
    public static Histogram of(StateDict model, Predicate<String> selection, Scale scale, int binCount, Job job) {
        if (binCount < 1) {
            throw new IllegalArgumentException("a histogram has bins");
        }
        List<Tensor> tensors = List.copyOf(model.filter(selection).tensors().values());
        Range range = new Range(scale);
        Sweep.over(tensors, job, (sweep, index, span) -> {
                    Range part = new Range(scale);
                    sweep.tiles(tensors.get(index), span, job, (values, first, count) -> part.add(values, count));
                    return part;
                })
                .forEach(parts -> parts.forEach(range::merge));
        double[] edges = range.edges(binCount);
        long[] counts = new long[Math.max(0, edges.length - 1)];
        if (counts.length > 0) {
            Sweep.over(tensors, job, (sweep, index, span) -> {
                        Counter counter = new Counter(scale, edges);
                        sweep.tiles(
                                tensors.get(index), span, job, (values, first, count) -> counter.add(values, count));
                        return counter.counts;
                    })
                    .forEach(parts -> parts.forEach(part -> addInto(counts, part)));
        }
        List<Bin> bins = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            bins.add(new Bin(edges[i], edges[i + 1], counts[i]));
        }
        return new Histogram(scale, bins, range.count, range.zeros, range.nan, range.positive, range.negative);
    }

    private static void addInto(long[] target, long[] part) {
        Arrays.setAll(target, i -> target[i] + part[i]);
    }

    /// The first pass.
    private static final class Range {
        private final Scale scale;
        private double low = Double.POSITIVE_INFINITY;
        private double high = Double.NEGATIVE_INFINITY;
        private long count;
        private long zeros;
        private long nan;
        private long positive;
        private long negative;

        Range(Scale scale) {
            this.scale = scale;
        }

        void add(double[] values, int length) {
            count += length;
            for (int i = 0; i < length; i++) {
                double value = values[i];
                double binned = scale == Scale.LOG ? Math.abs(value) : value;
                if (Math.abs(value) <= Double.MAX_VALUE) {
                    zeros += value == 0 ? 1 : 0;
                    if (binned != 0 || scale == Scale.LINEAR) {
                        low = binned < low ? binned : low;
                        high = binned > high ? binned : high;
                    }
                } else if (Double.isNaN(value)) {
                    nan++;
                } else if (value > 0) {
                    positive++;
                } else {
                    negative++;
                }
            }
        }

        void merge(Range other) {
            count += other.count;
            zeros += other.zeros;
            nan += other.nan;
            positive += other.positive;
            negative += other.negative;
            low = Math.min(low, other.low);
            high = Math.max(high, other.high);
        }

        /// The edges of the bins, each greater than the one before, but for a single bin of equal values.
        double[] edges(int binCount) {
            if (low > high) {
                return new double[0];
            }
            if (low == high) {
                return new double[] {low + 0.0, high + 0.0};
            }
            double[] edges = new double[binCount + 1];
            for (int i = 0; i <= binCount; i++) {
                double share = (double) i / binCount;
                edges[i] = switch (scale) {
                    case LINEAR -> low * (1 - share) + high * share;
                    case LOG -> Math.pow(2, log2(low) * (1 - share) + log2(high) * share);
                };
            }
            edges[0] = low + 0.0;
            edges[binCount] = high + 0.0;
            return increasing(edges);
        }

        /// Where neighbours differ by a few roundings only, edges fall together; those are left out.
        private static double[] increasing(double[] edges) {
            double last = edges[edges.length - 1];
            double[] kept = new double[edges.length];
            int size = 1;
            kept[0] = edges[0];
            for (int i = 1; i < edges.length - 1; i++) {
                if (edges[i] > kept[size - 1] && edges[i] < last) {
                    kept[size++] = edges[i];
                }
            }
            kept[size++] = last;
            return Arrays.copyOf(kept, size);
        }

        private static double log2(double value) {
            return Math.log(value) / Math.log(2);
        }
    }

    /// The second pass: a bin is guessed by arithmetic and then found by comparing with its edges.
    private static final class Counter {
        private final Scale scale;
        private final double[] edges;
        private final long[] counts;
        private final double origin;
        private final double perUnit;

        Counter(Scale scale, double[] edges) {
            this.scale = scale;
            this.edges = edges;
            this.counts = new long[edges.length - 1];
            this.origin = position(edges[0]);
            double extent = position(edges[counts.length]) - origin;
            this.perUnit = extent > 0 ? counts.length / extent : 0;
        }

        void add(double[] values, int length) {
            for (int i = 0; i < length; i++) {
                double value = scale == Scale.LOG ? Math.abs(values[i]) : values[i];
                if (Math.abs(value) <= Double.MAX_VALUE && (value != 0 || scale == Scale.LINEAR)) {
                    counts[bin(value)]++;
                }
            }
        }

        private int bin(double value) {
            int bin = Math.clamp((long) ((position(value) - origin) * perUnit), 0, counts.length - 1);
            while (bin > 0 && value < edges[bin]) {
                bin--;
            }
            while (bin < counts.length - 1 && value >= edges[bin + 1]) {
                bin++;
            }
            return bin;
        }

        /// Grows with the value about as the bins do. The bits of a double, as a number, grow as its
        /// logarithm does to within a tenth. Halved, the difference of two values cannot overflow.
        private double position(double value) {
            return scale == Scale.LOG ? Double.doubleToRawLongBits(value) * 0x1p-52 : value / 2;
        }
    }
}
