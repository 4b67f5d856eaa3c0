package dev.kintsugi.fusion;

import java.util.Arrays;

/// Methods whose result is `(Σ c_i v_i) / divisor`, with coefficients that depend on inner products at most.
///
/// Every spherical method is of this kind: all it computes lies in the span of its models, so one sweep for
/// the Gram matrix gives the coefficients and a second combines. Where models nearly cancel, rounding of the
/// inner products would decide the result; they are summed again in twice the precision.
final class Span implements Kernel {
    /// What the vectors are.
    enum Vectors {
        /// The models.
        INPUTS,
        /// The models' differences from the base, to which the sum is added.
        DELTAS,
        /// The base, then the models.
        BASE_FIRST
    }

    /// The coefficients of a group, and what their sum is divided by.
    record Coefficients(double[] values, double divisor) {
        static Coefficients of(double... values) {
            return new Coefficients(values, 1);
        }
    }

    /// Gives the coefficients of `group` from the inner products in it.
    interface Rule {
        Coefficients at(Gram gram, int group);
    }

    /// The cosine, but for its sign, from which on two models are summed again.
    private static final double NEARLY_OPPOSITE = 0.999;

    /// The length of the mean of directions below which they are.
    private static final double NEARLY_NOTHING = 0.01;

    private final Task task;
    private final Vectors vectors;
    private final Grouping grouping;
    private final boolean measured;
    private final Rule rule;
    private final String formula;

    private Span(Task task, Vectors vectors, Grouping grouping, boolean measured, Rule rule, String formula) {
        this.task = task;
        this.vectors = vectors;
        this.grouping = grouping;
        this.measured = measured;
        this.rule = rule;
        this.formula = formula;
    }

    /// Coefficients known without looking.
    static Span fixed(Task task, Vectors vectors, Coefficients coefficients, String formula) {
        return new Span(task, vectors, Grouping.whole(task.shape()), false, (gram, group) -> coefficients, formula);
    }

    /// Coefficients from the inner products of each group.
    static Span measured(Task task, Vectors vectors, Grouping grouping, Rule rule, String formula) {
        return new Span(task, vectors, grouping, true, rule, formula);
    }

    @Override
    public String formula() {
        return formula;
    }

    private int vectorCount() {
        return task.sources().models() + (vectors == Vectors.BASE_FIRST ? 1 : 0);
    }

    private double[][] vectorsOf(Block block) {
        switch (vectors) {
            case INPUTS -> {
                return block.inputs();
            }
            case DELTAS -> {
                block.subtractBase();
                return block.inputs();
            }
            case BASE_FIRST -> {
                double[][] all = new double[vectorCount()][];
                all[0] = block.base();
                System.arraycopy(block.inputs(), 0, all, 1, block.models());
                return all;
            }
        }
        throw new AssertionError(vectors);
    }

    @Override
    public int earlierSweeps() {
        return measured ? 1 : 0;
    }

    @Override
    public Combiner prepare() {
        Gram gram = new Gram(vectorCount(), grouping.count());
        if (measured) {
            task.sources().sweep(1, block -> gram.add(grouping, block.first(), block.count(), vectorsOf(block)));
        }
        Gram sure = measured && cancels(gram) ? again() : gram;
        Coefficients[] coefficients = new Coefficients[grouping.count()];
        for (int group = 0; group < coefficients.length; group++) {
            coefficients[group] = rule.at(sure, group);
        }
        return (block, fused) -> combine(block, fused, coefficients);
    }

    private Gram again() {
        Gram exact = Gram.exact(vectorCount(), grouping.count());
        task.sources().sweep(1, block -> exact.add(grouping, block.first(), block.count(), vectorsOf(block)));
        return exact;
    }

    /// Whether in some group the models, made equally long, sum to little or two of them are nearly opposite.
    private boolean cancels(Gram gram) {
        int n = gram.vectors();
        double[] unit = new double[n];
        for (int group = 0; group < gram.groups(); group++) {
            double count = 0;
            for (int i = 0; i < n; i++) {
                double norm = gram.norm(group, i);
                unit[i] = norm > 0 ? 1 / norm : 0;
                count += norm > 0 ? 1 : 0;
                for (int k = 0; k < i; k++) {
                    if (gram.product(group, i, k) * unit[i] * unit[k] < -NEARLY_OPPOSITE) {
                        return true;
                    }
                }
            }
            if (count > 1 && gram.norm(group, unit) < NEARLY_NOTHING * count) {
                return true;
            }
        }
        return false;
    }

    private void combine(Block block, double[] fused, Coefficients[] coefficients) {
        double[][] v = vectorsOf(block);
        grouping.runs(
                block.first(), block.count(), (group, from, to) -> weigh(v, coefficients[group], fused, from, to));
        if (vectors == Vectors.DELTAS) {
            double[] base = block.base();
            for (int j = 0; j < block.count(); j++) {
                fused[j] += base[j];
            }
        }
    }

    /// A model of coefficient 0 takes no part, so that neither its NaN nor the sign of its zeros shows.
    static void weigh(double[][] v, Coefficients coefficients, double[] fused, int from, int to) {
        boolean begun = false;
        for (int i = 0; i < v.length; i++) {
            double c = coefficients.values()[i];
            if (c == 0) {
                continue;
            }
            double[] x = v[i];
            if (begun) {
                for (int j = from; j < to; j++) {
                    fused[j] += c * x[j];
                }
            } else {
                for (int j = from; j < to; j++) {
                    fused[j] = c * x[j];
                }
            }
            begun = true;
        }
        if (!begun) {
            Arrays.fill(fused, from, to, 0);
        }
        double divisor = coefficients.divisor();
        if (divisor != 1) {
            for (int j = from; j < to; j++) {
                fused[j] /= divisor;
            }
        }
    }
}
