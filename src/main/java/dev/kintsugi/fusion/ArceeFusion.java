package dev.kintsugi.fusion;

/// Takes an element from the model where its change matters most, else from the base.
///
/// Importance is `|x − b|` times the divergence `KL` of the softmaxes of its row, each plus 1e-8; the
/// threshold is the median plus 1.5 times the distance of the quartiles, of all elements, quantile q being
/// number `⌊q(n−1)⌋`.
/// **Source.** `mergekit/merge_methods/arcee_fusion.py`, with exact quantiles at any size.
final class ArceeFusion implements Kernel {
    private final Task task;
    private final int row;

    private ArceeFusion(Task task) {
        this.task = task;
        this.row = (int) task.wholeRow();
    }

    static Kernel of(Task task) {
        return new ArceeFusion(task);
    }

    @Override
    public String formula() {
        return task.models().getFirst() + " where |change|·KL(row) ≥ median + 1.5·(Q3 − Q1), else " + task.baseName();
    }

    @Override
    public int earlierSweeps() {
        return 1;
    }

    @Override
    public Combiner prepare() {
        long n = task.elementCount();
        Importance importance = new Importance(row);
        Cut[] cuts = new Selection(task, 1, false, importance)
                .find(stream -> new long[] {place(0.25, n), place(0.5, n), place(0.75, n)})[0];
        double low = importance.value(cuts[0]);
        double middle = importance.value(cuts[1]);
        double high = importance.value(cuts[2]);
        double threshold = middle + 1.5 * (high - low);
        return new Combiner() {
            @Override
            public void combine(Block block, double[] fused) {
                double[] weight = new double[block.count()];
                Importance measure = new Importance(row);
                measure.open(block);
                measure.write(0, block, weight);
                for (int j = 0; j < block.count(); j++) {
                    fused[j] = weight[j] >= threshold ? block.input(0)[j] : block.base()[j];
                }
            }

            @Override
            public long alignment() {
                return row;
            }
        };
    }

    private static long place(double quantile, long n) {
        return n - (long) Math.floor(quantile * (n - 1));
    }

    private static final class Importance implements Selection.Magnitudes {
        private final int row;
        private double least = Double.POSITIVE_INFINITY;

        Importance(int row) {
            this.row = row;
        }

        /// The magnitude at `cut`, or the least of all where the cut is the end.
        double value(Cut cut) {
            return cut.equals(Cut.LAST) ? least : cut.magnitude();
        }

        @Override
        public void open(Block block) {}

        @Override
        public void write(int stream, Block block, double[] magnitudes) {
            double[] x = block.input(0);
            double[] b = block.base();
            for (int from = 0; from < block.count(); from += row) {
                double divergence = Math.max(0, divergence(x, b, from));
                for (int j = from; j < from + row; j++) {
                    magnitudes[j] = Math.abs(x[j] - b[j]) * divergence;
                    least = Math.min(least, magnitudes[j]);
                }
            }
        }

        @Override
        public long alignment() {
            return row;
        }

        private double divergence(double[] x, double[] b, int from) {
            double maxX = Double.NEGATIVE_INFINITY;
            double maxB = Double.NEGATIVE_INFINITY;
            boolean same = true;
            for (int j = from; j < from + row; j++) {
                maxX = Math.max(maxX, x[j]);
                maxB = Math.max(maxB, b[j]);
                same &= x[j] == b[j];
            }
            if (same) {
                return 0;
            }
            double sumX = 0;
            double sumB = 0;
            for (int j = from; j < from + row; j++) {
                sumX += Math.exp(x[j] - maxX);
                sumB += Math.exp(b[j] - maxB);
            }
            double divergence = 0;
            for (int j = from; j < from + row; j++) {
                double p = Math.exp(x[j] - maxX) / sumX + 1e-8;
                double q = Math.exp(b[j] - maxB) / sumB + 1e-8;
                divergence += p * Math.log(p / q);
            }
            return divergence;
        }
    }
}
