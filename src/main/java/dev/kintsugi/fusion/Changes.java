package dev.kintsugi.fusion;

/// What changed in a group of tensors, for each of several models.
///
/// **Numbers.** Summed in `double`, in the order of the tensors and their blocks.
public final class Changes {
    private final String group;
    private final int models;
    private final double[] products;
    private final long[] changed;
    private double baseSquares;
    private long elements;
    private long changedByAny;
    private long shared;
    private long conflicts;

    Changes(String group, int models) {
        this.group = group;
        this.models = models;
        this.products = new double[models * (models + 1) / 2];
        this.changed = new long[models];
    }

    private static int index(int i, int k) {
        int high = Math.max(i, k);
        return high * (high + 1) / 2 + Math.min(i, k);
    }

    /// Turns the models of `block` into their changes and counts them.
    void add(Block block) {
        double[][] d = block.inputs();
        for (int j = 0; j < block.count(); j++) {
            double origin = block.hasBase() ? block.base()[j] : mean(d, j);
            baseSquares += origin * origin;
            int up = 0;
            int down = 0;
            for (int i = 0; i < models; i++) {
                double change = d[i][j] - origin;
                d[i][j] = change;
                changed[i] += change != 0 ? 1 : 0;
                up += change > 0 ? 1 : 0;
                down += change < 0 ? 1 : 0;
            }
            changedByAny += up + down > 0 ? 1 : 0;
            shared += up + down > 1 ? 1 : 0;
            conflicts += up > 0 && down > 0 ? 1 : 0;
        }
        elements += block.count();
        for (int k = 0; k < models; k++) {
            for (int i = 0; i <= k; i++) {
                double sum = 0;
                for (int j = 0; j < block.count(); j++) {
                    sum += d[i][j] * d[k][j];
                }
                products[index(i, k)] += sum;
            }
        }
    }

    private static double mean(double[][] values, int j) {
        double sum = 0;
        for (double[] model : values) {
            sum += model[j];
        }
        return sum / values.length;
    }

    void add(Changes other) {
        for (int i = 0; i < products.length; i++) {
            products[i] += other.products[i];
        }
        for (int i = 0; i < models; i++) {
            changed[i] += other.changed[i];
        }
        baseSquares += other.baseSquares;
        elements += other.elements;
        changedByAny += other.changedByAny;
        shared += other.shared;
        conflicts += other.conflicts;
    }

    public String group() {
        return group;
    }

    public long elements() {
        return elements;
    }

    /// The length of a model's change.
    public double norm(int model) {
        return Math.sqrt(products[index(model, model)]);
    }

    /// The length of a model's change over that of what it changed from; 0 where both are 0.
    public double relativeNorm(int model) {
        return norm(model) == 0 ? 0 : norm(model) / Math.sqrt(baseSquares);
    }

    /// The cosine of two models' changes; 0 where one changed nothing.
    public double cosine(int i, int k) {
        double lengths = norm(i) * norm(k);
        return lengths == 0 ? 0 : Math.clamp(products[index(i, k)] / lengths, -1, 1);
    }

    /// The mean cosine over all pairs; 1 for one model.
    public double meanCosine() {
        double sum = 0;
        for (int k = 1; k < models; k++) {
            for (int i = 0; i < k; i++) {
                sum += cosine(i, k);
            }
        }
        return models == 1 ? 1 : sum / (models * (models - 1) / 2.0);
    }

    /// The share of elements a model left exactly as they were.
    public double sparsity(int model) {
        return elements == 0 ? 0 : 1 - (double) changed[model] / elements;
    }

    /// Of the elements that some model changed, the share that two or more did.
    public double overlap() {
        return changedByAny == 0 ? 0 : (double) shared / changedByAny;
    }

    /// Of the elements that two or more models changed, the share they pull in different directions.
    public double conflict() {
        return shared == 0 ? 0 : (double) conflicts / shared;
    }
}
