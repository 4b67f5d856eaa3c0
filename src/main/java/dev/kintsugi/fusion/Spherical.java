package dev.kintsugi.fusion;

import dev.kintsugi.fusion.Span.Coefficients;
import dev.kintsugi.fusion.Span.Vectors;
import java.util.Arrays;
import java.util.Locale;

/// Methods that go along arcs instead of chords.
///
/// **Source.** `mergekit/merge_methods/{slerp,nuslerp,multislerp,karcher}.py`.
final class Spherical {
    /// Below this the divisor of model stock is what rounding left of 0.
    private static final double LEAST_STOCK_DIVISOR = 1e-6;

    private Spherical() {}

    /// `[sin((1−t)θ) b + sin(tθ) x] / sin θ`, linear where the two point the same or the opposite way.
    static Kernel slerp(Task task) {
        double t = task.parameters().number("t");
        Span.Rule rule = (gram, group) -> {
            double cosine =
                    gram.product(group, 0, 1) / (unlessTiny(gram.norm(group, 0)) * unlessTiny(gram.norm(group, 1)));
            if (!(Math.abs(cosine) <= 0.9995)) {
                return Coefficients.of(1 - t, t);
            }
            double angle = Math.acos(cosine);
            return Coefficients.of(Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle));
        };
        String formula = "slerp(" + task.baseName() + ", " + task.models().getFirst() + ", t = " + t + ")";
        return Span.measured(task, Vectors.BASE_FIRST, Grouping.whole(task.shape()), rule, formula);
    }

    private static double unlessTiny(double norm) {
        return norm > 1e-8 ? norm : 1;
    }

    /// Slerp of two models, or of their differences from the base, by weight.
    static Kernel nuslerp(Task task) {
        Parameters parameters = task.parameters();
        double sum = parameters.number(0, "weight") + parameters.number(1, "weight");
        double t = Math.abs(sum) < 1e-6 ? 0.5 : parameters.number(1, "weight") / sum;
        Span.Rule rule = (gram, group) -> {
            Gram.Angle angle = angle(gram, group);
            if (!(angle.sine() >= 1e-8)) {
                return Coefficients.of(1 - t, t);
            }
            return Coefficients.of(angle.sineOf(1 - t) / angle.sine(), angle.sineOf(t) / angle.sine());
        };
        boolean flatten = parameters.flag("nuslerp_flatten");
        boolean rowWise = parameters.flag("nuslerp_row_wise");
        Grouping grouping = flatten
                ? Grouping.whole(task.shape())
                : rowWise ? Grouping.firstAxis(task.shape()) : Grouping.lastAxis(task.shape());
        boolean hasBase = task.sources().hasBase();
        String arc = String.join(", ", task.models()) + (hasBase ? "; from " + task.baseName() : "");
        String formula = String.format(
                Locale.ROOT,
                "nuslerp(%s, t = %.6g), one angle per %s",
                arc,
                t,
                flatten ? "tensor" : rowWise ? "vector along the first axis" : "vector along the last axis");
        return Span.measured(task, hasBase ? Vectors.DELTAS : Vectors.INPUTS, grouping, rule, formula);
    }

    /// The angle between two vectors; of one shorter than 1e-7 as if it were that long.
    private static Gram.Angle angle(Gram gram, int group) {
        double a = gram.norm(group, 0);
        double b = gram.norm(group, 1);
        if (a >= 1e-7 && b >= 1e-7) {
            return gram.angle(group, new double[] {1, 0}, 1);
        }
        double cosine = gram.product(group, 0, 1) / (Math.max(a, 1e-7) * Math.max(b, 1e-7));
        return new Gram.Angle(cosine, Math.sqrt(1 - cosine * cosine));
    }

    /// The weighted mean on the sphere around the mean direction, its length the mean length.
    static Kernel multislerp(Task task) {
        Parameters parameters = task.parameters();
        double[] weights = parameters.numbers("weight");
        double eps = parameters.number("eps");
        if (parameters.flag("normalize_weights")) {
            double sum = Arrays.stream(weights).sum();
            if (sum == 0) {
                throw task.badOption("the weights sum to 0", "they are to be normalised", "change the weights");
            }
            weights = Arrays.stream(weights).map(w -> w / sum).toArray();
        }
        double[] w = weights;
        boolean hasBase = task.sources().hasBase();
        return Span.measured(
                task,
                hasBase ? Vectors.DELTAS : Vectors.INPUTS,
                Grouping.whole(task.shape()),
                (gram, group) -> multislerp(task, gram, group, w, eps),
                "multislerp(" + Formulas.weighted(w, task.models()) + (hasBase ? "; around " + task.baseName() : "")
                        + ")");
    }

    private static Coefficients multislerp(Task task, Gram gram, int group, double[] w, double eps) {
        int n = w.length;
        double[] unit = new double[n];
        double[] mean = new double[n];
        double length = 0;
        for (int i = 0; i < n; i++) {
            unit[i] = 1 / (gram.norm(group, i) + eps);
            mean[i] = w[i] * unit[i];
            length += w[i] * gram.norm(group, i);
        }
        double norm = gram.norm(group, mean);
        if (norm < eps) {
            if (n == 2 || length == 0) {
                return Coefficients.of(w);
            }
            throw task.undefined(
                    "the weighted directions cancel",
                    "multislerp needs a mean direction to move around",
                    "change the weights, or use linear for this tensor");
        }
        double[] direction = Arrays.stream(mean).map(m -> m / norm).toArray();
        double[] tangent = new double[n];
        for (int i = 0; i < n; i++) {
            double along = gram.along(group, direction, i) * unit[i];
            tangent[i] += w[i] * unit[i];
            for (int k = 0; k < n; k++) {
                tangent[k] -= w[i] * along * direction[k];
            }
        }
        double reach = gram.norm(group, tangent) + eps;
        double[] result = new double[n];
        for (int i = 0; i < n; i++) {
            result[i] = (direction[i] * Math.cos(reach) + tangent[i] * Math.sin(reach) / reach) * length;
        }
        return Coefficients.of(result);
    }

    /// The Karcher mean of the directions with equal weights, its length the mean length.
    static Kernel karcher(Task task) {
        double tolerance = task.parameters().number("tol");
        int iterations = (int) task.parameters().number("max_iter");
        return Span.measured(
                task,
                Vectors.INPUTS,
                Grouping.whole(task.shape()),
                (gram, group) -> karcher(gram, group, iterations, tolerance),
                "karcher mean of " + String.join(", ", task.models()) + ", at most " + iterations + " steps");
    }

    private static Coefficients karcher(Gram gram, int group, int iterations, double tolerance) {
        int n = gram.vectors();
        double[] norms = new double[n];
        boolean[] used = new boolean[n];
        int count = 0;
        double length = 0;
        for (int i = 0; i < n; i++) {
            norms[i] = gram.norm(group, i);
            length += norms[i] / n;
            used[i] = norms[i] > tolerance;
            count += used[i] ? 1 : 0;
        }
        double[] u = new double[n];
        if (count == 0) {
            return Coefficients.of(u);
        }
        for (int i = 0; i < n; i++) {
            u[i] = used[i] ? 1 / (norms[i] * count) : 0;
        }
        double start = gram.norm(group, u);
        if (start < tolerance) {
            Arrays.fill(u, 0);
            for (int i = n - 1; i >= 0; i--) {
                if (used[i]) {
                    Arrays.fill(u, 0);
                    u[i] = 1 / norms[i];
                }
            }
        } else {
            scale(u, 1 / start);
        }
        for (int step = 0; step < iterations; step++) {
            double[] tangent = tangent(gram, group, u, norms, used, count, tolerance);
            double reach = gram.norm(group, tangent);
            if (reach < tolerance) {
                break;
            }
            for (int i = 0; i < n; i++) {
                u[i] = Math.cos(reach) * u[i] + Math.sin(reach) * tangent[i] / reach;
            }
            scale(u, 1 / gram.norm(group, u));
        }
        scale(u, length);
        return Coefficients.of(u);
    }

    private static double[] tangent(
            Gram gram, int group, double[] u, double[] norms, boolean[] used, int count, double tolerance) {
        int n = u.length;
        double[] tangent = new double[n];
        for (int i = 0; i < n; i++) {
            if (!used[i]) {
                continue;
            }
            double cosine = gram.along(group, u, i) / norms[i];
            Gram.Angle angle = gram.angle(group, u, i);
            if (angle.value() < tolerance) {
                continue;
            }
            double share = angle.value() / (angle.sine() * count);
            tangent[i] += share / norms[i];
            for (int k = 0; k < n; k++) {
                tangent[k] -= share * cosine * u[k];
            }
        }
        return tangent;
    }

    private static void scale(double[] values, double factor) {
        for (int i = 0; i < values.length; i++) {
            values[i] *= factor;
        }
    }

    /// `t·mean(x) + (1−t) b` with `t` from the mean cosine between the changes.
    static Kernel modelStock(Task task) {
        boolean filterWise = task.parameters().flag("filter_wise");
        int n = task.sources().models();
        Span.Rule rule = (gram, group) -> {
            double sum = 0;
            for (int i = 0; i < n; i++) {
                for (int k = 0; k < i; k++) {
                    double lengths = Math.max(gram.norm(group, i) * gram.norm(group, k), 1e-6);
                    sum += Math.clamp(gram.product(group, i, k) / lengths, -1, 1);
                }
            }
            double cosine = sum / (n * (n - 1) / 2);
            double divisor = 1 + (n - 1) * cosine;
            if (divisor < LEAST_STOCK_DIVISOR) {
                throw task.undefined(
                        "the changes cancel (mean cosine " + Formulas.number(cosine) + ")",
                        "model_stock divides by 1 + (N−1)·cosine, which is " + Formulas.number(divisor),
                        "leave the tensor out with --layers, or fuse it with weighted-average");
            }
            double t = n * cosine / divisor;
            double[] c = new double[n];
            Arrays.fill(c, t / n);
            return Coefficients.of(c);
        };
        Grouping grouping = filterWise ? Grouping.lastAxis(task.shape()) : Grouping.whole(task.shape());
        return Span.measured(
                task,
                Vectors.DELTAS,
                grouping,
                rule,
                "model_stock: " + task.baseName() + " + t·(mean(" + String.join(", ", task.models()) + ") − "
                        + task.baseName() + "), t from the mean cosine of the changes"
                        + (filterWise ? " of each row" : ""));
    }
}
