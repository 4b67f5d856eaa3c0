package dev.kintsugi.fusion;

/// A place in the order of a tensor's elements by falling magnitude; equal magnitudes by rising index, or by
/// falling index where `lastFirst`.
///
/// `key` is the bits of the magnitude as a `double`, which order as the magnitudes do; NaN comes first.
/// `index` is the first element of that magnitude that is not before this place, or with `lastFirst` the last
/// that is.
record Cut(long key, long index, boolean lastFirst) {
    /// Nothing is before it.
    static final Cut FIRST = new Cut(Long.MAX_VALUE - 1, 0, false);

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

    /// Sets to 0 the elements of `values`, the first being element `first` of its tensor, that do not come
    /// before this place.
    void keepBefore(double[] values, long first, int count) {
        int border = border(first, count);
        keepAtLeast(values, 0, border, lastFirst ? key + 1 : key);
        keepAtLeast(values, border, count, lastFirst ? key : key + 1);
    }

    /// Sets to 0 the elements of `values` that come before this place.
    void dropBefore(double[] values, long first, int count) {
        int border = border(first, count);
        dropAtLeast(values, 0, border, lastFirst ? key + 1 : key);
        dropAtLeast(values, border, count, lastFirst ? key : key + 1);
    }

    private int border(long first, int count) {
        return (int) Math.clamp(index - first, 0, count);
    }

    /// Without a branch: which of two elements is larger cannot be predicted.
    private static void keepAtLeast(double[] values, int from, int to, long least) {
        for (int j = from; j < to; j++) {
            long bits = Double.doubleToRawLongBits(values[j]);
            long kept = (least - 1 - (bits & Long.MAX_VALUE)) >> 63;
            values[j] = Double.longBitsToDouble(bits & kept);
        }
    }

    private static void dropAtLeast(double[] values, int from, int to, long least) {
        for (int j = from; j < to; j++) {
            long bits = Double.doubleToRawLongBits(values[j]);
            long dropped = (least - 1 - (bits & Long.MAX_VALUE)) >> 63;
            values[j] = Double.longBitsToDouble(bits & ~dropped);
        }
    }

    /// The magnitude of the last element before this place.
    double magnitude() {
        return Double.longBitsToDouble(key);
    }
}
