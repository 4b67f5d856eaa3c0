package dev.kintsugi.fusion;

/// A place in the order of a tensor's elements by falling magnitude; equal magnitudes by rising index, or by
/// falling index where `lastFirst`.
///
/// `key` is the bits of the magnitude as a `double`, which order as the magnitudes do; NaN comes first.
/// `index` is the first element of that magnitude that is not before this place, or with `lastFirst` the last
/// that is.
record Cut(long key, long index, boolean lastFirst) {
    /// Nothing is before it.
    static final Cut FIRST = new Cut(Long.MAX_VALUE, 0, false);

    /// Everything is before it.
    static final Cut LAST = new Cut(-1, 0, false);

    /// Whether the element at `elementIndex` with `magnitude` comes before this place.
    boolean isAfter(double magnitude, long elementIndex) {
        long bits = Double.doubleToLongBits(magnitude);
        if (bits != key) {
            return bits > key;
        }
        return lastFirst ? elementIndex >= index : elementIndex < index;
    }

    /// The magnitude of the last element before this place.
    double magnitude() {
        return Double.longBitsToDouble(key);
    }
}
