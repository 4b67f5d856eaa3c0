package dev.kintsugi.fusion;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;

/// Methods that prune task vectors, then add them up, or elect signs and add up those that agree.
///
/// **Source.** `mergekit/merge_methods/generalized_task_arithmetic.py`.
final class TaskVectors implements Kernel {
    private final Task task;
    private final Function<Task, Pruning> pruning;
    private final boolean elects;
    private final String method;
    private final double[] weights;
    private final double lambda;
    private final boolean normalize;
    private final boolean ranks;
    private final boolean rescale;

    private TaskVectors(Task task, String method, Function<Task, Pruning> pruning, boolean elects) {
        this.task = task;
        this.method = method;
        this.pruning = pruning;
        this.elects = elects;
        this.weights = task.parameters().numbers("weight");
        this.lambda = task.parameters().number("lambda");
        this.normalize = task.parameters().flag("normalize");
        this.ranks = method.equals("ties") || method.startsWith("breadcrumbs");
        this.rescale = task.parameters().flag("rescale");
    }

    static Kernel ties(Task task) {
        return new TaskVectors(task, "ties", Pruning::magnitude, true);
    }

    static Kernel dareLinear(Task task) {
        return new TaskVectors(task, "dare_linear", Pruning::random, false);
    }

    static Kernel dareTies(Task task) {
        return new TaskVectors(task, "dare_ties", Pruning::random, true);
    }

    static Kernel della(Task task) {
        checkDella(task);
        return new TaskVectors(task, "della", Pruning::rankedRandom, true);
    }

    static Kernel dellaLinear(Task task) {
        checkDella(task);
        return new TaskVectors(task, "della_linear", Pruning::rankedRandom, false);
    }

    private static void checkDella(Task task) {
        Pruning.checkRange(
                task, task.parameters().numbers("density"), task.parameters().numbers("epsilon"));
        task.wholeRow();
    }

    static Kernel breadcrumbs(Task task) {
        return new TaskVectors(task, "breadcrumbs", Pruning::breadcrumbs, false);
    }

    static Kernel breadcrumbsTies(Task task) {
        return new TaskVectors(task, "breadcrumbs_ties", Pruning::breadcrumbs, true);
    }

    @Override
    public String formula() {
        double[] densities = task.parameters().numbers("density");
        StringBuilder text = new StringBuilder(task.baseName() + " + ");
        if (lambda != 1) {
            text.append(Formulas.number(lambda)).append("·");
        }
        text.append(elects ? "elect(" : "(");
        for (int i = 0; i < weights.length; i++) {
            text.append(i == 0 ? "" : " + ")
                    .append(String.format(
                            Locale.ROOT,
                            "%s·prune_%s(%s − %s)",
                            Formulas.number(weights[i]),
                            Formulas.number(densities[i]),
                            task.models().get(i),
                            task.baseName()));
        }
        text.append(")");
        text.append(normalize ? elects ? " / Σ weights that agree" : " / Σ weights" : "");
        return text.append(rescale ? ", pruned vectors rescaled" : "") + " [" + method + "]";
    }

    @Override
    public int earlierSweeps() {
        return (ranks ? 1 : 0) + (rescale ? 1 : 0);
    }

    @Override
    public Combiner prepare() {
        Pruning prune = pruning.apply(task);
        double[] factors = new double[weights.length];
        Arrays.fill(factors, 1);
        if (rescale && prune != Pruning.NONE) {
            measureFactors(prune, factors);
        }
        return new Combiner() {
            @Override
            public void combine(Block block, double[] fused) {
                block.subtractBase();
                prune.prune(block);
                if (elects) {
                    elect(block, factors, fused);
                } else {
                    add(block, factors, fused);
                }
            }

            @Override
            public long alignment() {
                return prune.alignment();
            }
        };
    }

    /// `Σ|d| / Σ|kept d|`, unless density is 1 or either sum is next to nothing.
    private void measureFactors(Pruning prune, double[] factors) {
        double[] all = new double[weights.length];
        double[] kept = new double[weights.length];
        task.sources().sweep(prune.alignment(), block -> {
            block.subtractBase();
            addMagnitudes(block, all);
            prune.prune(block);
            addMagnitudes(block, kept);
        });
        for (int i = 0; i < factors.length; i++) {
            boolean pruned = task.parameters().number(i, "density") < 1;
            factors[i] = pruned && all[i] >= 1e-7 && kept[i] >= 1e-7 ? all[i] / kept[i] : 1;
        }
    }

    private static void addMagnitudes(Block block, double[] sums) {
        for (int i = 0; i < sums.length; i++) {
            double[] d = block.input(i);
            double sum = 0;
            for (int j = 0; j < block.count(); j++) {
                sum += Math.abs(d[j]);
            }
            sums[i] += sum;
        }
    }

    private void add(Block block, double[] factors, double[] fused) {
        double divisor = normalize ? Averages.divisor(weights) : 1;
        double[] coefficients = new double[weights.length];
        Arrays.setAll(coefficients, i -> lambda * weights[i] * factors[i]);
        Span.weigh(block.inputs(), new Span.Coefficients(coefficients, divisor), fused, 0, block.count());
        double[] base = block.base();
        for (int j = 0; j < block.count(); j++) {
            fused[j] += base[j];
        }
    }

    /// Adds up the weighted changes that agree with the sign of their sum; where the weights of those are to divide
    /// it and are 0 together, it stays.
    private void elect(Block block, double[] factors, double[] fused) {
        double[][] d = block.inputs();
        for (int i = 0; i < d.length; i++) {
            double factor = weights[i] * factors[i];
            for (int j = 0; factor != 1 && j < block.count(); j++) {
                d[i][j] *= factor;
            }
        }
        double[] ones = new double[d.length];
        Arrays.fill(ones, 1);
        Election election = new Election();
        double[] base = block.base();
        double[] sums = election.sums();
        double[] agreeing = election.agreeing();
        for (int from = 0; from < block.count(); from += Election.TILE) {
            int count = Math.min(Election.TILE, block.count() - from);
            election.hold(d, ones, weights, from, count);
            for (int j = 0; normalize && j < count; j++) {
                sums[j] /= agreeing[j] + (1 - Math.abs(Math.signum(agreeing[j])));
            }
            System.arraycopy(sums, 0, fused, from, count);
        }
        for (int j = 0; j < block.count(); j++) {
            fused[j] = base[j] + lambda * fused[j];
        }
    }
}
