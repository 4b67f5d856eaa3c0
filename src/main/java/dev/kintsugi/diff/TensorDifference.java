package dev.kintsugi.diff;

import dev.kintsugi.tensor.TensorSpec;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// How the values of one tensor differ. A complex number counts as two elements.
///
/// Elements differ if their values do: `-0.0` equals `0.0`, and NaN equals NaN. Values of different dtypes
/// are compared as they are, none is rounded to the other's dtype (but 64-bit integers beyond 2^53 are, to
/// F64). Magnitudes are over pairs of which both are finite.
///
/// @param elements pairs compared
/// @param bitEqual whether dtype and all bytes are the same
/// @param differing pairs whose values differ
/// @param outside pairs beyond the tolerances
/// @param nanMismatches pairs of which exactly one is NaN
/// @param infinityMismatches pairs of which one is infinite and the other is another value, but not NaN
/// @param maxAbs the greatest `|a - b|`
/// @param maxRelative the greatest `|a - b| / max(|a|, |b|)`, at most 2
/// @param rms the root of the mean of `(a - b)²`
/// @param relativeNorm the norm of `a - b` over that of `b`; infinite if `b` is zero and `a` is not
/// @param cosine of the angle between both as vectors, 1 for equal ones; absent if either is zero
/// @param firstDiffering the index of the first pair that differs, one number a dim
/// @param maxUlps the greatest number of steps from neighbour to neighbour in the dtype that lead from one to
/// the other,
///     over finite pairs; absent unless both have the same floating point dtype. `Long.MAX_VALUE` if that is too small
public record TensorDifference(
        String name,
        TensorSpec a,
        TensorSpec b,
        long elements,
        boolean bitEqual,
        long differing,
        long outside,
        long nanMismatches,
        long infinityMismatches,
        double maxAbs,
        double maxRelative,
        double rms,
        double relativeNorm,
        OptionalDouble cosine,
        Optional<List<Long>> firstDiffering,
        OptionalLong maxUlps) {
    public TensorDifference {
        firstDiffering = firstDiffering.map(List::copyOf);
    }

    /// Whether all values are equal, whatever the bytes.
    public boolean sameValues() {
        return differing == 0;
    }

    /// Whether all values are within the tolerances.
    public boolean close() {
        return outside == 0;
    }
}
