package dev.kintsugi.fusion;

import dev.kintsugi.fusion.Span.Coefficients;
import dev.kintsugi.fusion.Span.Vectors;
import java.util.Arrays;

/// Weighted sums: linear, task arithmetic, passthrough.
///
/// **Source.** `mergekit/merge_methods/{linear,passthrough}.py`; task arithmetic: Ilharco et al. 2023.
final class Averages {
    private Averages() {}

    /// `Σ w_i x_i`, divided by `Σ w_i` if normalised.
    static Kernel linear(Task task) {
        double[] weights = task.parameters().numbers("weight");
        double sum = Arrays.stream(weights).sum();
        String said = Formulas.number(sum);
        if (!task.parameters().flag("normalize")) {
            return Span.fixed(
                    task,
                    Vectors.INPUTS,
                    Coefficients.of(weights),
                    Formulas.weighted(weights, task.models()) + " (not normalised; weights sum to " + said + ")");
        }
        if (!(Math.abs(sum) > 0) || Double.isInfinite(sum)) {
            throw task.badOption(
                    "the weights sum to " + said,
                    "they are to be normalised, which divides by their sum",
                    "change the weights, or give --normalize false");
        }
        double[] shares = Arrays.stream(weights).map(w -> w / sum).toArray();
        String formula = Formulas.weighted(shares, task.models()) + " (normalised; weights summed to " + said + ")";
        return Span.fixed(task, Vectors.INPUTS, new Coefficients(weights, sum), formula);
    }

    /// `b + λ Σ w_i d_i`.
    static Kernel taskArithmetic(Task task) {
        double[] weights = task.parameters().numbers("weight");
        double lambda = task.parameters().number("lambda");
        double divisor = task.parameters().flag("normalize") ? divisor(weights) : 1;
        double[] scaled = Arrays.stream(weights).map(w -> lambda * w).toArray();
        double[] shown = Arrays.stream(scaled).map(w -> w / divisor).toArray();
        String base = task.baseName();
        return Span.fixed(
                task,
                Vectors.DELTAS,
                new Coefficients(scaled, divisor),
                base + " + "
                        + Formulas.weighted(
                                shown,
                                task.models().stream()
                                        .map(m -> "(" + m + " − " + base + ")")
                                        .toList()));
    }

    static double divisor(double[] weights) {
        double sum = Arrays.stream(weights).sum();
        return Math.abs(sum) < 1e-8 ? 1 : sum;
    }

    /// One model, scaled.
    static Kernel scaled(Task task) {
        double scale = task.parameters().numberIfGiven(0, "scale").orElse(1);
        return Span.fixed(
                task, Vectors.INPUTS, Coefficients.of(scale), Formulas.weighted(new double[] {scale}, task.models()));
    }
}
