package dev.kintsugi.fusion;

import java.util.List;
import java.util.Locale;

/// Writes formulas with the numbers that hold.
final class Formulas {
    private Formulas() {}

    /// `0.25·a + 0.75·b`.
    static String weighted(double[] weights, List<String> names) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < weights.length; i++) {
            double weight = weights[i];
            if (i == 0) {
                text.append(weight < 0 ? "−" : "");
            } else {
                text.append(weight < 0 ? " − " : " + ");
            }
            text.append(number(Math.abs(weight))).append('·').append(names.get(i));
        }
        return text.toString();
    }

    /// Four significant digits without trailing zeros.
    static String number(double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e7) {
            return String.valueOf((long) value);
        }
        String text = String.format(Locale.ROOT, "%.4g", value);
        return text.contains("e") || !text.contains(".")
                ? text
                : text.replaceAll("0+$", "").replaceAll("\\.$", "");
    }
}
