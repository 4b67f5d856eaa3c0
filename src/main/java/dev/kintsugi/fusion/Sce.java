package dev.kintsugi.fusion;

import java.util.Arrays;

/// Select, Calculate, Erase: keeps the elements the models disagree about most, weighs models by their
/// energy, elects signs.
///
/// **Numbers.** Weights are shares of energy at any scale; they are equal only where nobody changed anything.
/// **Source.** FuseChat, Wan et al. 2024; `mergekit/merge_methods/sce.py`.
final class Sce implements Kernel {
    private final Task task;
    private final double topShare;

    private Sce(Task task) {
        this.task = task;
        this.topShare = task.parameters().number("select_topk");
    }

    static Kernel of(Task task) {
        return new Sce(task);
    }

    @Override
    public String formula() {
        return task.baseName() + " + Σ v·d / Σ v over the changes d whose sign wins, v the share of each of "
                + String.join(", ", task.models()) + " in the energy"
                + (topShare < 1 ? " of the " + Formulas.number(topShare) + " of greatest variance" : "");
    }

    @Override
    public int earlierSweeps() {
        return topShare < 1 ? 3 : 1;
    }

    @Override
    public Combiner prepare() {
        Cut cut = topShare < 1 ? cut() : Cut.LAST;
        double[] shares = shares(cut);
        return (block, fused) -> {
            block.subtractBase();
            select(block, cut, new double[block.count()]);
            combine(block, shares, fused);
        };
    }

    private Cut cut() {
        Selection selection = new Selection(task, 1, false, new Selection.Magnitudes() {
            @Override
            public void open(Block block) {
                block.subtractBase();
            }

            @Override
            public void write(int stream, Block block, double[] magnitudes) {
                variances(block, magnitudes);
            }
        });
        return selection.findAmongNonzero((stream, nonzero) -> new long[] {(long) (topShare * nonzero)})[0][0];
    }

    private static void variances(Block block, double[] variances) {
        double[][] d = block.inputs();
        for (int j = 0; j < block.count(); j++) {
            double mean = 0;
            boolean equal = true;
            for (double[] changes : d) {
                mean += changes[j];
                equal &= changes[j] == d[0][j];
            }
            mean /= d.length;
            double sum = 0;
            for (double[] changes : d) {
                sum += (changes[j] - mean) * (changes[j] - mean);
            }
            variances[j] = equal ? 0 : sum / d.length;
        }
    }

    private static void select(Block block, Cut cut, double[] variances) {
        if (cut.equals(Cut.LAST)) {
            return;
        }
        variances(block, variances);
        for (int j = 0; j < block.count(); j++) {
            if (!cut.isAfter(variances[j], block.first() + j)) {
                for (double[] changes : block.inputs()) {
                    changes[j] = 0;
                }
            }
        }
    }

    private double[] shares(Cut cut) {
        double[] energy = new double[task.sources().models()];
        task.sources().sweep(1, block -> {
            block.subtractBase();
            select(block, cut, new double[block.count()]);
            for (int i = 0; i < energy.length; i++) {
                double[] d = block.input(i);
                double sum = 0;
                for (int j = 0; j < block.count(); j++) {
                    sum += d[j] * d[j];
                }
                energy[i] += sum;
            }
        });
        double total = Arrays.stream(energy).sum();
        Arrays.setAll(energy, i -> total == 0 ? 1.0 / energy.length : energy[i] / total);
        return energy;
    }

    private static void combine(Block block, double[] shares, double[] fused) {
        Election election = new Election();
        double[] base = block.base();
        double[] sums = election.sums();
        double[] agreeing = election.agreeing();
        for (int from = 0; from < block.count(); from += Election.TILE) {
            int count = Math.min(Election.TILE, block.count() - from);
            election.hold(block.inputs(), shares, shares, from, count);
            for (int j = 0; j < count; j++) {
                fused[from + j] = base[from + j] + sums[j] / Math.max(agreeing[j], 1e-6);
            }
        }
    }
}
