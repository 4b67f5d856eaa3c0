package dev.kintsugi.fusion;

import java.util.Arrays;

/// Sets part of every task vector to 0: what stays is chosen by magnitude, at random, or both.
///
/// **Source.** `mergekit/sparsify.py`; TIES: Yadav et al. 2023; DARE: Yu et al. 2024; DELLA: Deep et al. 2024;
/// breadcrumbs: Davari and Belilovsky 2024.
interface Pruning {
    /// Sets what goes to 0 in `block`, whose inputs are differences from the base.
    void prune(Block block);

    default long alignment() {
        return 1;
    }

    /// Keeps everything.
    Pruning NONE = block -> {};

    /// Keeps the `⌊density·n⌋` greatest magnitudes of each model.
    static Pruning magnitude(Task task) {
        double[] densities = task.parameters().numbers("density");
        long n = task.elementCount();
        if (Arrays.stream(densities).allMatch(d -> (long) (d * n) >= n)) {
            return NONE;
        }
        Cut[][] cuts = ranks(task, false).find(model -> new long[] {(long) (densities[model] * n)});
        return between(cuts);
    }

    /// Drops the `⌊gamma·n⌋` greatest magnitudes and as many of the least as leave `⌊density·n⌋`: a run of
    /// the stable rising order, so that of equal magnitudes the first go at its beginning and the last at its
    /// end.
    static Pruning breadcrumbs(Task task) {
        double[] densities = task.parameters().numbers("density");
        double[] gammas = task.parameters().numbers("gamma");
        long n = task.elementCount();
        Cut[][] cuts = ranks(task, true).find(model -> {
            long keep = (long) (densities[model] * n);
            long top = Math.min((long) (gammas[model] * n), n - keep);
            return new long[] {top + keep, top};
        });
        return between(cuts);
    }

    private static Selection ranks(Task task, boolean lastFirst) {
        return new Selection(task, task.sources().models(), lastFirst, new Selection.Magnitudes() {
            @Override
            public void open(Block block) {
                block.subtractBase();
            }

            @Override
            public void write(int stream, Block block, double[] magnitudes) {
                double[] d = block.input(stream);
                for (int j = 0; j < block.count(); j++) {
                    magnitudes[j] = Math.abs(d[j]);
                }
            }
        });
    }

    /// Keeps what lies before the first cut of a model and not before its second, if it has one.
    private static Pruning between(Cut[][] cuts) {
        return block -> {
            for (int i = 0; i < block.models(); i++) {
                cuts[i][0].keepBefore(block.input(i), block.first(), block.count());
                if (cuts[i].length > 1) {
                    cuts[i][1].dropBefore(block.input(i), block.first(), block.count());
                }
            }
        };
    }

    /// Keeps each element with probability `density`.
    static Pruning random(Task task) {
        double[] densities = task.parameters().numbers("density");
        CounterRandom[] random = streams(task);
        return block -> {
            for (int i = 0; i < block.models(); i++) {
                if (densities[i] < 1) {
                    random[i].keep(densities[i], block.input(i), block.first(), block.count());
                }
            }
        };
    }

    private static CounterRandom[] streams(Task task) {
        long seed = (long) task.parameters().number("seed");
        CounterRandom[] random = new CounterRandom[task.sources().models()];
        Arrays.setAll(random, i -> new CounterRandom(seed, task.name(), i));
        return random;
    }

    /// Keeps each element with a probability that runs from `density − epsilon` for the least magnitude of
    /// its row to `density + epsilon` for the greatest, equal magnitudes in the order of the row.
    static Pruning rankedRandom(Task task) {
        double[] densities = task.parameters().numbers("density");
        double[] epsilons = task.parameters().numbers("epsilon");
        checkRange(task, densities, epsilons);
        CounterRandom[] random = streams(task);
        int row = (int) task.wholeRow();
        return new Pruning() {
            @Override
            public void prune(Block block) {
                Ranking ranking = new Ranking(row);
                for (int i = 0; i < block.models(); i++) {
                    for (int from = 0; densities[i] < 1 && from < block.count(); from += row) {
                        ranking.rank(block.input(i), from);
                        pruneRow(block, i, from, ranking);
                    }
                }
            }

            private void pruneRow(Block block, int model, int from, Ranking ranking) {
                double[] d = block.input(model);
                double low = densities[model] - epsilons[model];
                for (int rank = 0; rank < row; rank++) {
                    int j = from + ranking.at(rank);
                    double place = row == 1 ? 0.5 : (double) rank / (row - 1);
                    double keep = low + 2 * epsilons[model] * place;
                    double margin = random[model].at(block.first() + j) - keep;
                    long kept = Double.doubleToRawLongBits(margin) >> 63;
                    d[j] = Double.longBitsToDouble(Double.doubleToRawLongBits(d[j]) & kept);
                }
            }

            @Override
            public long alignment() {
                return row;
            }
        };
    }

    /// Keep-probabilities must be probabilities. Called when the kernel is made, before anything is read.
    static void checkRange(Task task, double[] densities, double[] epsilons) {
        for (int i = 0; i < densities.length; i++) {
            double low = densities[i] - epsilons[i];
            double high = densities[i] + epsilons[i];
            if (densities[i] < 1 && !(low > 0 && high < 1)) {
                throw task.badOption(
                        "density ± epsilon gives probabilities from " + Formulas.number(low) + " to "
                                + Formulas.number(high),
                        "both must lie between 0 and 1",
                        "take a smaller epsilon than density and 1 − density");
            }
        }
    }
}
