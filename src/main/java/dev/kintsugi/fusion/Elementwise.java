package dev.kintsugi.fusion;

import java.util.Arrays;
import java.util.function.Supplier;

/// Methods that decide element by element.
///
/// **Source.** `mergekit/merge_methods/{nearswap,ram,rectify_embed}.py`.
final class Elementwise {
    private Elementwise() {}

    /// `q x + (1−q) b` with `q = min(1, t / max(|b−x|, 1e-6))`: takes what is near, keeps the base where it
    /// is far.
    static Kernel nearswap(Task task) {
        double t = task.parameters().number("t");
        String x = task.models().getFirst();
        String base = task.baseName();
        String formula =
                "q·" + x + " + (1−q)·" + base + ", q = min(1, " + Formulas.number(t) + " / |" + base + " − " + x + "|)";
        return new Simple(formula, 0, () -> (block, fused) -> {
            double[] b = block.base();
            double[] other = block.input(0);
            for (int j = 0; j < block.count(); j++) {
                double q = Math.clamp(t / Math.max(Math.abs(b[j] - other[j]), 1e-6), 0, 1);
                fused[j] = q * other[j] + (1 - q) * b[j];
            }
        });
    }

    /// The base plus the one change an element got, or the mean of its changes.
    static Kernel ram(Task task) {
        double epsilon = task.parameters().number("epsilon");
        double[] factors = new double[task.sources().models()];
        Arrays.fill(factors, 1);
        String formula = task.baseName() + " + mean of the changes over " + Formulas.number(epsilon) + " among "
                + String.join(", ", task.models());
        return new Simple(formula, 0, () -> (block, fused) -> ram(block, fused, epsilon, factors));
    }

    /// As [#ram], a change that only one model made being multiplied by `1 + r·min(shared/unique, alpha)`.
    static Kernel ramPlus(Task task) {
        double epsilon = task.parameters().number("epsilon");
        double r = task.parameters().number("r");
        double alpha = task.parameters().number("alpha");
        String formula = task.baseName() + " + mean of the changes over " + Formulas.number(epsilon) + " among "
                + String.join(", ", task.models()) + ", unique ones times 1 + " + Formulas.number(r)
                + "·min(shared/unique, " + Formulas.number(alpha) + ")";
        return new Simple(formula, 1, () -> {
            double[] factors = new double[task.sources().models()];
            long[] shared = new long[factors.length];
            long[] unique = new long[factors.length];
            task.sources().sweep(1, block -> count(block, epsilon, shared, unique));
            for (int i = 0; i < factors.length; i++) {
                double ratio = shared[i] / Math.max(unique[i], epsilon);
                factors[i] = 1 + r * Math.clamp(ratio, 0, alpha);
            }
            return (block, fused) -> ram(block, fused, epsilon, factors);
        });
    }

    private static void count(Block block, double epsilon, long[] shared, long[] unique) {
        block.subtractBase();
        for (int j = 0; j < block.count(); j++) {
            int touched = touched(block, j, epsilon);
            for (int i = 0; i < shared.length; i++) {
                if (Math.abs(block.input(i)[j]) > epsilon) {
                    if (touched == 1) {
                        unique[i]++;
                    } else {
                        shared[i]++;
                    }
                }
            }
        }
    }

    private static int touched(Block block, int j, double epsilon) {
        int touched = 0;
        for (double[] d : block.inputs()) {
            touched += Math.abs(d[j]) > epsilon ? 1 : 0;
        }
        return touched;
    }

    private static void ram(Block block, double[] fused, double epsilon, double[] uniqueFactors) {
        block.subtractBase();
        double[] base = block.base();
        for (int j = 0; j < block.count(); j++) {
            int touched = 0;
            double sum = 0;
            int last = 0;
            for (int i = 0; i < uniqueFactors.length; i++) {
                double d = block.input(i)[j];
                if (Math.abs(d) > epsilon || Double.isNaN(d)) {
                    sum += d;
                    touched++;
                    last = i;
                }
            }
            double change = touched == 0 ? 0 : touched == 1 ? sum * uniqueFactors[last] : sum / touched;
            fused[j] = base[j] + change;
        }
    }

    /// A kernel of a formula and what to prepare.
    record Simple(String formula, int earlierSweeps, Supplier<Kernel.Combiner> preparation) implements Kernel {
        @Override
        public Combiner prepare() {
            return preparation.get();
        }
    }
}
