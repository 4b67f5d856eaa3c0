package dev.kintsugi.architecture;

import java.math.BigInteger;
import java.util.Comparator;

/// Names compared segment by segment, numbers by value: layer 2 before layer 10.
///
/// Within a segment the digits at its end count as a number; a segment of digits comes before one of letters.
/// **Source.** `dot_natural_key` of transformers 5.18, whose order decides which tensor goes to which file.
public final class NaturalOrder implements Comparator<String> {
    public static final NaturalOrder INSTANCE = new NaturalOrder();

    private NaturalOrder() {}

    @Override
    public int compare(String left, String right) {
        String[] a = left.split("\\.", -1);
        String[] b = right.split("\\.", -1);
        for (int i = 0; i < Math.min(a.length, b.length); i++) {
            int order = segment(a[i], b[i]);
            if (order != 0) {
                return order;
            }
        }
        return a.length == b.length ? left.compareTo(right) : Integer.compare(a.length, b.length);
    }

    private static int segment(String a, String b) {
        int digitsA = digitsAt(a);
        int digitsB = digitsAt(b);
        boolean numberA = digitsA == 0 && !a.isEmpty();
        boolean numberB = digitsB == 0 && !b.isEmpty();
        if (numberA != numberB) {
            return numberA ? -1 : 1;
        }
        int text = a.substring(0, digitsA).compareTo(b.substring(0, digitsB));
        if (text != 0) {
            return text;
        }
        boolean bareA = digitsA == a.length();
        boolean bareB = digitsB == b.length();
        if (bareA || bareB) {
            return Boolean.compare(bareB, bareA);
        }
        return new BigInteger(a.substring(digitsA)).compareTo(new BigInteger(b.substring(digitsB)));
    }

    private static int digitsAt(String segment) {
        int at = segment.length();
        while (at > 0 && segment.charAt(at - 1) >= '0' && segment.charAt(at - 1) <= '9') {
            at--;
        }
        return at;
    }
}
