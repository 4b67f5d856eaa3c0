package dev.kintsugi.fusion;

import java.lang.foreign.MemorySegment;

/// A place in the order of a tensor's elements by falling magnitude; equal magnitudes by rising index, or by
/// falling index where `lastFirst`.
///
/// `key` is the bits of the magnitude as a `double`, which order as the magnitudes do; NaN comes first.
/// `index` is the first element of that magnitude that is not before this place, or with `lastFirst` the last
/// that is.
record Cut(long key, long index, boolean lastFirst) {
    private static final int TILE = 1024;

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

    private static void keepAtLeast(double[] values, int from, int to, long least) {
        change(values, from, to, (bits, count) -> {
            for (int j = 0; j < count; j++) {
                bits[j] &= (least - 1 - (bits[j] & Long.MAX_VALUE)) >> 63;
            }
        });
    }

    private static void dropAtLeast(double[] values, int from, int to, long least) {
        change(values, from, to, (bits, count) -> {
            for (int j = 0; j < count; j++) {
                bits[j] &= ~((least - 1 - (bits[j] & Long.MAX_VALUE)) >> 63);
            }
        });
    }

    /// Changes the bits of doubles: without a branch, for which of two elements is larger cannot be predicted, and
    /// in an array of their own, for the compiler makes vectors of them only there.
    private interface Change {
        void apply(long[] bits, int count);
    }

    private static void change(double[] values, int from, int to, Change change) {
        long[] bits = new long[Math.min(TILE, to - from)];
        MemorySegment bitBytes = MemorySegment.ofArray(bits);
        MemorySegment valueBytes = MemorySegment.ofArray(values);
        for (int at = from; at < to; at += TILE) {
            int count = Math.min(TILE, to - at);
            MemorySegment.copy(valueBytes, 8L * at, bitBytes, 0, 8L * count);
            change.apply(bits, count);
            MemorySegment.copy(bitBytes, 0, valueBytes, 8L * at, 8L * count);
        }
    }

    /// The magnitude of the last element before this place.
    double magnitude() {
        return Double.longBitsToDouble(key);
    }
}
