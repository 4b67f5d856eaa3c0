package dev.kintsugi.inspect;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.List;

/// The singular values of a tensor as a matrix: its first dim down, all others across.
///
/// **Numbers.** What [Method] says. `frobeniusNorm` is exact but for rounding whatever the method, so
/// `captured`, the share of its square that the values given make up, tells how much a sketch has seen.
/// **Memory.** Besides blocks: [Method#DIRECT] 4 MiB, [Method#GRAM] 16 MiB, [Method#SKETCH] at most 128 MiB.
///
/// @param values singular values, the greatest first; with a sketch only the greatest [#SKETCHED]
/// @param frobeniusNorm the root of the sum of squares of all elements
/// @param captured between 0 and 1; 1 unless sketched
/// @param stableRank squared Frobenius norm over squared greatest value; 0 for a matrix of zeros
/// @param effectiveRank as described there; 0 for a matrix of zeros
public record Spectrum(
        TensorSpec spec,
        long rows,
        long columns,
        Method method,
        List<Double> values,
        double frobeniusNorm,
        double captured,
        double stableRank,
        EffectiveRank effectiveRank) {
    /// How many singular values a sketch gives.
    public static final int SKETCHED = 32;

    /// How the values were found.
    public enum Method {
        /// All values by a singular value decomposition, to 1e-14 of the greatest. Up to 2^18 elements.
        DIRECT("singular value decomposition"),
        /// All values, as roots of the eigenvalues of the smaller Gram matrix: values below 1e-8 of the
        /// greatest are lost in rounding. Up to 1024 rows or 1024 columns.
        GRAM("eigenvalues of the Gram matrix; values below 1e-8 of the greatest are not resolved"),
        /// The greatest values only, by four passes of subspace iteration from a fixed random start (Halko,
        /// Martinsson, Tropp, 2011, algorithm 4.4): never too great; too small by some percent where values
        /// hardly decay.
        SKETCH("randomized sketch: the greatest values only, each possibly a few percent too small");

        private final String description;

        Method(String description) {
            this.description = description;
        }

        /// What to tell the person who reads the values.
        public String description() {
            return description;
        }

        /// Whether all singular values were found.
        public boolean isComplete() {
            return this != SKETCH;
        }
    }

    /// `exp` of the entropy of the values divided by their sum. **Source.** Roy, Vetterli, "The effective
    /// rank" (2007).
    ///
    /// With all values known `low` and `high` are equal. With a sketch they are estimates, from the two most
    /// different ways to spread the rest of the squared norm: on as few values as possible, and evenly on
    /// all.
    public record EffectiveRank(double low, double high) {}

    public Spectrum {
        values = List.copyOf(values);
    }

    /// Finds the singular values of `tensor`.
    ///
    /// **Errors.** [Fault] `K1003` if it has fewer than two dims, no element, is complex, has an element that
    /// is NaN or infinite, or is too large in both directions for the memory said above.
    public static Spectrum of(Tensor tensor, Job job) {
        Shape shape = tensor.spec().shape();
        if (shape.ndim() < 2 || shape.elementCount() == 0 || tensor.spec().dtype() == DType.C64) {
            throw refused("a spectrum of " + tensor.spec() + " is not defined", "it takes a matrix of real numbers");
        }
        return of(tensor, method(shape.dim(0), shape.elementCountFrom(1)), job);
    }

    private static Method method(long rows, long columns) {
        if (Math.multiplyExact(rows, columns) <= 1 << 18) {
            return Method.DIRECT;
        }
        return Math.min(rows, columns) <= 1024 ? Method.GRAM : Method.SKETCH;
    }

    /// The spectrum by a given method.
    static Spectrum of(Tensor tensor, Method method, Job job) {
        long rows = tensor.spec().shape().dim(0);
        long columns = tensor.spec().shape().elementCountFrom(1);
        MatrixRows matrix = new MatrixRows(tensor, rows, columns, job);
        double[] squares = switch (method) {
            case DIRECT -> Decompositions.direct(matrix);
            case GRAM -> Decompositions.gram(matrix);
            case SKETCH -> Sketch.of(matrix, SKETCHED);
        };
        double norm = matrix.squaredNorm();
        List<Double> values = new ArrayList<>();
        double known = 0;
        for (double square : squares) {
            values.add(Math.sqrt(Math.max(0, square)));
            known += Math.max(0, square);
        }
        boolean complete = method.isComplete();
        double rest = complete ? 0 : Math.max(0, norm - known);
        double first = values.getFirst();
        return new Spectrum(
                tensor.spec(),
                rows,
                columns,
                method,
                values,
                Math.sqrt(norm),
                complete || norm == 0 ? 1 : Math.min(1, known / norm),
                first == 0 ? 0 : norm / (first * first),
                effectiveRank(values, rest, Math.min(rows, columns) - values.size()));
    }

    private static EffectiveRank effectiveRank(List<Double> values, double rest, long unknown) {
        double least = values.getLast();
        if (rest <= 0 || unknown == 0 || least == 0) {
            double rank = spreadRank(values, 0, 0);
            return new EffectiveRank(rank, rank);
        }
        double few = Math.min((double) unknown, rest / (least * least));
        double one = spreadRank(values, few, Math.sqrt(rest / few));
        double other = spreadRank(values, (double) unknown, Math.sqrt(rest / unknown));
        return new EffectiveRank(Math.min(one, other), Math.max(one, other));
    }

    /// The effective rank of `values` and `count` more, each `each`.
    private static double spreadRank(List<Double> values, double count, double each) {
        double sum = count * each;
        for (double value : values) {
            sum += value;
        }
        if (sum == 0) {
            return 0;
        }
        double entropy = count * surprise(each / sum);
        for (double value : values) {
            entropy += surprise(value / sum);
        }
        return Math.exp(entropy);
    }

    private static double surprise(double share) {
        return share == 0 ? 0 : -share * Math.log(share);
    }

    static Fault refused(String what, String why) {
        return new Fault(Code.K1003, what, why, "choose another tensor; see: tensors, stats");
    }
}
