package dev.kintsugi.fusion;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;

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

    /// At most four decimals, or four significant digits of what is smaller than that shows.
    static String number(double value) {
        if (!Double.isFinite(value)) {
            return Double.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
        }
        BigDecimal exact = new BigDecimal(value);
        BigDecimal rounded = Math.abs(value) < 0.01
                ? exact.round(new MathContext(4, RoundingMode.HALF_EVEN))
                : exact.setScale(4, RoundingMode.HALF_EVEN);
        BigDecimal stripped = rounded.stripTrailingZeros();
        return stripped.scale() < 0 && stripped.precision() - stripped.scale() < 16
                ? stripped.toPlainString()
                : stripped.toString();
    }
}
