package dev.kintsugi.fusion;

/// A place in the order of a tensor's elements by falling magnitude, equal magnitudes by rising index.
///
/// `key` is the bits of the magnitude as a `double`, which order as the magnitudes do; NaN comes first.
record Cut(long key, long index) {
    /// Nothing is before it.
    static final Cut FIRST = new Cut(Long.MAX_VALUE, 0);

    /// Everything is before it.
    static final Cut LAST = new Cut(-1, 0);

    /// Whether the element at `index` with `magnitude` comes before this place.
    boolean isAfter(double magnitude, long elementIndex) {
        long bits = Double.doubleToLongBits(magnitude);
        return bits > key || (bits == key && elementIndex < index);
    }

    /// The magnitude of the last element before this place.
    double magnitude() {
        return Double.longBitsToDouble(key);
    }
}
