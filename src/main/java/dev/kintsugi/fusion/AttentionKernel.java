package dev.kintsugi.fusion;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// Attention over experts: each group of elements listens most to the expert that put most of its change there.
///
///     origin     O   = the base, or the element-wise median of the experts of weight > 0
///     key        K_i = (W_i − O) / ν_i,   ν_i the RMS of the change over the scope
///     query      Q_i = Σ_{j≠i} π_j K_j / (1 − π_i)
///     per group  e_i = ⟨K_i,K_i⟩,  a_i = ⟨Q_i,K_i⟩,  E = Σ π_j e_j
///     score      s_i = ln( max(0, ρ e_i + (1−ρ) a_i) / E + ε ),   0 where E = 0
///     attention  α_i = π_i e^{s_i/T} / Σ_j π_j e^{s_j/T}
///     result     W   = (1−λ) O + λ Σ α_i W_i
///
/// `T = ∞` is the weighted mean; `T = 0` takes the experts within 1e-9 of the greatest score.
final class AttentionKernel implements Kernel {
    private final AttentionPlan plan;
    private final Task task;
    private final double[] weights;
    private final double temperature;
    private final double speciality;
    private final double floor;
    private final double strength;

    AttentionKernel(AttentionPlan plan, Task task) {
        this.plan = plan;
        this.task = task;
        checkScope(task);
        this.weights = weights(task);
        this.temperature = task.parameters().number("temperature");
        this.speciality = task.parameters().number("speciality");
        this.floor = task.parameters().number("floor");
        this.strength = task.parameters().number("strength");
    }

    private static void checkScope(Task task) {
        String scope = task.parameters().word("scope");
        if (!List.of("model", "tensors", "none").contains(scope)) {
            throw task.badOption(
                    "the scope '" + scope + "' is not known",
                    "changes are scaled over the model, the tensors fused together, or not at all",
                    "give --scope model, tensors or none");
        }
    }

    /// The weights, summing to 1.
    static double[] weights(Task task) {
        double[] weights = task.parameters().numbers("weight");
        double sum = Arrays.stream(weights).sum();
        if (!(sum > 0) || Double.isInfinite(sum)) {
            throw task.badOption(
                    "the weights sum to " + sum,
                    "attention shares a prior among the experts",
                    "give at least one expert a weight above 0");
        }
        return Arrays.stream(weights).map(w -> w / sum).toArray();
    }

    /// Writes the base of `block`, or the median of the experts with a weight, to `origin`.
    static void origin(Block block, double[] weights, double[] origin) {
        if (block.hasBase()) {
            System.arraycopy(block.base(), 0, origin, 0, block.count());
            return;
        }
        int experts = (int) Arrays.stream(weights).filter(w -> w > 0).count();
        if (experts == 3 && weights.length == 3) {
            middleOfThree(block.inputs(), origin, block.count());
            return;
        }
        double[] values = new double[experts];
        for (int j = 0; j < block.count(); j++) {
            int at = 0;
            for (int i = 0; i < weights.length; i++) {
                if (weights[i] > 0) {
                    values[at++] = block.input(i)[j];
                }
            }
            Arrays.sort(values);
            double upper = values[experts / 2];
            origin[j] = experts % 2 == 1 ? upper : middle(values[experts / 2 - 1], upper);
        }
    }

    private static void middleOfThree(double[][] x, double[] origin, int count) {
        for (int j = 0; j < count; j++) {
            double low = Math.min(x[0][j], x[1][j]);
            double high = Math.max(x[0][j], x[1][j]);
            origin[j] = Math.max(low, Math.min(high, x[2][j]));
        }
    }

    private static double middle(double a, double b) {
        double sum = a + b;
        return Double.isInfinite(sum) ? a / 2 + b / 2 : sum / 2;
    }

    @Override
    public String formula() {
        String origin = task.sources().hasBase() ? task.baseName() : "median";
        return String.format(
                Locale.ROOT,
                "%sattention(%s) per %s, T = %s, speciality %s, floor %s, changes from %s scaled over %s",
                strength == 1
                        ? ""
                        : Formulas.number(1 - strength) + "·" + origin + " + " + Formulas.number(strength) + "·",
                Formulas.weighted(weights, task.models()),
                plan.shared(task).coupling().groups(),
                Formulas.number(temperature),
                Formulas.number(speciality),
                Formulas.number(floor),
                origin,
                task.parameters().word("scope"));
    }

    AttentionReport report() {
        Gram gram = plan.shared(task).gram();
        double[] scales = plan.scales(task);
        double[] inverse = Arrays.stream(scales).map(s -> s > 0 ? 1 / s : 0).toArray();
        int n = weights.length;
        double[][] attention = new double[gram.groups()][];
        double[][] scores = new double[gram.groups()][n];
        double[] coherence = new double[gram.groups()];
        for (int group = 0; group < gram.groups(); group++) {
            scores[group] = scores(gram, group, inverse, coherence);
            attention[group] = shares(scores[group]);
        }
        double unit = plan.unit();
        double[] shown = Arrays.stream(scales).map(s -> s / unit).toArray();
        String groups = plan.shared(task).coupling().groups();
        return new AttentionReport(task.models(), groups, shown, attention, scores, coherence);
    }

    private double[] scores(Gram gram, int group, double[] inverse, double[] coherence) {
        int n = weights.length;
        double[] score = new double[n];
        double total = 0;
        double mean = 0;
        for (int i = 0; i < n; i++) {
            total += weights[i] * product(gram, group, i, i, inverse);
            for (int k = 0; k < n; k++) {
                mean += weights[i] * weights[k] * product(gram, group, i, k, inverse);
            }
        }
        coherence[group] = total > 0 ? mean / total : 1;
        if (!(total > 0)) {
            return score;
        }
        for (int i = 0; i < n; i++) {
            double agreement = 0;
            for (int k = 0; k < n; k++) {
                agreement += k == i ? 0 : weights[k] * product(gram, group, i, k, inverse);
            }
            agreement = weights[i] < 1 ? agreement / (1 - weights[i]) : 0;
            double energy = product(gram, group, i, i, inverse);
            double share = Math.max(0, speciality * energy + (1 - speciality) * agreement) / total;
            score[i] = Math.log(share + floor);
        }
        return score;
    }

    private static double product(Gram gram, int group, int i, int k, double[] inverse) {
        return gram.product(group, i, k) * inverse[i] * inverse[k];
    }

    private double[] shares(double[] score) {
        if (Double.isInfinite(temperature)) {
            return weights;
        }
        double greatest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < score.length; i++) {
            greatest = weights[i] > 0 ? Math.max(greatest, score[i]) : greatest;
        }
        double[] shares = new double[score.length];
        double sum = 0;
        for (int i = 0; i < score.length; i++) {
            double distance = score[i] - greatest;
            if (weights[i] > 0) {
                shares[i] = temperature == 0
                        ? (distance >= -1e-9 ? weights[i] : 0)
                        : weights[i] * Math.exp(distance / temperature);
            }
            sum += shares[i];
        }
        for (int i = 0; i < shares.length; i++) {
            shares[i] /= sum;
        }
        return shares;
    }

    @Override
    public int earlierSweeps() {
        return 1;
    }

    @Override
    public Combiner prepare() {
        AttentionReport report = report();
        Grouping grouping = plan.grouping(task);
        Span.Coefficients[] coefficients = new Span.Coefficients[report.groupCount()];
        for (int group = 0; group < coefficients.length; group++) {
            coefficients[group] = Span.Coefficients.of(Arrays.stream(report.shares(group))
                    .map(share -> strength * share)
                    .toArray());
        }
        return (block, fused) -> {
            grouping.runs(
                    block.first(),
                    block.count(),
                    (group, from, to) -> Span.weigh(block.inputs(), coefficients[group], fused, from, to));
            if (strength != 1) {
                double[] origin = new double[block.count()];
                origin(block, weights, origin);
                for (int j = 0; j < block.count(); j++) {
                    fused[j] += (1 - strength) * origin[j];
                }
            }
        };
    }
}
