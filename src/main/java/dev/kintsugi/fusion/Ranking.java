package dev.kintsugi.fusion;

import java.util.Arrays;

/// The elements of a row by rising magnitude, equal ones by index.
///
/// Sorts numbers made of the upper 39 bits of a magnitude and its index, then puts right the few whose upper
/// bits are the same; far faster than sorting indices by a comparison. A row holds at most 2^24 elements.
final class Ranking {
    private static final int INDEX_BITS = 24;
    private static final long INDEX = (1L << INDEX_BITS) - 1;

    private final long[] keys;

    Ranking(int row) {
        keys = new long[row];
    }

    /// Ranks `values[from..from + row)`.
    void rank(double[] values, int from) {
        for (int j = 0; j < keys.length; j++) {
            long magnitude = Double.doubleToRawLongBits(values[from + j]) & Long.MAX_VALUE;
            keys[j] = magnitude & ~INDEX | j;
        }
        Arrays.sort(keys);
        for (int rank = 1; rank < keys.length; rank++) {
            settle(values, from, rank);
        }
    }

    /// Moves the element at `rank` down past those of the same upper bits that are greater.
    private void settle(double[] values, int from, int rank) {
        long key = keys[rank];
        if ((keys[rank - 1] ^ key) >>> INDEX_BITS != 0) {
            return;
        }
        double magnitude = Math.abs(values[from + (int) (key & INDEX)]);
        int place = rank;
        while (place > 0
                && (keys[place - 1] ^ key) >>> INDEX_BITS == 0
                && Math.abs(values[from + (int) (keys[place - 1] & INDEX)]) > magnitude) {
            keys[place] = keys[place - 1];
            place--;
        }
        keys[place] = key;
    }

    /// The index, within the row, of the element at `rank`.
    int at(int rank) {
        return (int) (keys[rank] & INDEX);
    }
}
