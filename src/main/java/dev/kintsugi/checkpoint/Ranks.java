package dev.kintsugi.checkpoint;

import java.util.Collection;
import java.util.TreeSet;

/// Ranks as a person writes them.
public final class Ranks {
    private Ranks() {}

    /// `0-7, 12`.
    public static String text(Collection<Integer> ranks) {
        StringBuilder text = new StringBuilder();
        int from = -1;
        int last = -1;
        for (int rank : new TreeSet<>(ranks)) {
            if (from >= 0 && rank == last + 1) {
                last = rank;
                continue;
            }
            append(text, from, last);
            from = rank;
            last = rank;
        }
        append(text, from, last);
        return text.toString();
    }

    private static void append(StringBuilder text, int from, int last) {
        if (from < 0) {
            return;
        }
        text.append(text.isEmpty() ? "" : ", ").append(from);
        if (last > from) {
            text.append('-').append(last);
        }
    }
}
