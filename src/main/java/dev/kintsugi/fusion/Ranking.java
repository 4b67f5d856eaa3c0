package dev.kintsugi.fusion;

import java.util.Arrays;

/// The elements of a row by rising magnitude, equal ones by index.
///
/// Sorts numbers made of the upper 39 bits of a magnitude and its index, digit by digit, then puts right the
/// few whose upper bits are the same; far faster than sorting indices by a comparison. A row holds at most
/// 2^24 elements.
final class Ranking {
    private static final int INDEX_BITS = 24;
    private static final long INDEX = (1L << INDEX_BITS) - 1;

    private static final int DIGIT_BITS = 10;
    private static final int DIGITS = 4;
    private static final int LEAST_BY_DIGITS = 128;

    private final int[] counts = new int[DIGITS << DIGIT_BITS];
    private long[] keys;
    private long[] spare;

    Ranking(int row) {
        keys = new long[row];
        spare = new long[row];
    }

    /// Ranks `values[from..from + row)`.
    void rank(double[] values, int from) {
        for (int j = 0; j < keys.length; j++) {
            long magnitude = Double.doubleToRawLongBits(values[from + j]) & Long.MAX_VALUE;
            keys[j] = magnitude & ~INDEX | j;
        }
        if (keys.length < LEAST_BY_DIGITS) {
            Arrays.sort(keys);
        } else {
            sortByDigits();
        }
        for (int rank = 1; rank < keys.length; rank++) {
            settle(values, from, rank);
        }
    }

    /// Sorts the keys, which stand in the order of their indices, by the bits above them: equal ones keep
    /// their order.
    private void sortByDigits() {
        Arrays.fill(counts, 0);
        for (long key : keys) {
            for (int digit = 0; digit < DIGITS; digit++) {
                counts[slot(key, digit)]++;
            }
        }
        for (int digit = 0; digit < DIGITS; digit++) {
            if (counts[slot(keys[0], digit)] == keys.length) {
                continue;
            }
            int start = 0;
            for (int slot = digit << DIGIT_BITS; slot < (digit + 1) << DIGIT_BITS; slot++) {
                int count = counts[slot];
                counts[slot] = start;
                start += count;
            }
            distribute(digit);
        }
    }

    private void distribute(int digit) {
        for (long key : keys) {
            spare[counts[slot(key, digit)]++] = key;
        }
        long[] sorted = spare;
        spare = keys;
        keys = sorted;
    }

    private static int slot(long key, int digit) {
        int value = (int) (key >>> (INDEX_BITS + digit * DIGIT_BITS)) & ((1 << DIGIT_BITS) - 1);
        return digit << DIGIT_BITS | value;
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
