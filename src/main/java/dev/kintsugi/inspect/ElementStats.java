package dev.kintsugi.inspect;

import java.util.Optional;

/// What the elements of a tensor, or of several, come to. A complex number counts as two elements.
///
/// @param count all elements
/// @param subnormal elements other than zero below the smallest normal number of their dtype
/// @param finite what the elements that are neither NaN nor infinite come to; absent if there are none
public record ElementStats(
        long count,
        long nan,
        long positiveInfinite,
        long negativeInfinite,
        long zeros,
        long subnormal,
        Optional<Finite> finite) {

    /// Moments of the finite elements.
    ///
    /// **Numbers.** `min`, `max` and `absMax` are exact. `mean`, `std` and `l2` come from sums in `double`
    /// per block of 1 MiB, compensated across blocks: `mean` is good to 1e-12 of the mean magnitude, `std`
    /// and `l2` to 1e-12 of themselves, but where `std` is a tiny part of the mean (1e-6 of it: still ten
    /// digits). `std` divides by the count, as numpy does. F64 elements whose squares overflow (beyond 1e154)
    /// make `l2` and `std` infinite or NaN, those whose squares underflow (below 1e-154) make them 0.
    public record Finite(long count, double min, double max, double absMax, double mean, double std, double l2) {}

    /// Whether an element is NaN or infinite.
    public boolean hasNonFinite() {
        return nan + positiveInfinite + negativeInfinite > 0;
    }
}
