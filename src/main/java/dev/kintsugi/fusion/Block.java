package dev.kintsugi.fusion;

/// Elements `[first, first + count)` of one tensor of every model, decoded; `base` is empty where there is no
/// base.
///
/// The arrays are the reader's, longer than `count`, and overwritten by the next block; a combiner may
/// overwrite them.
final class Block {
    private final double[][] inputs;
    private final double[] base;
    private long first;
    private int count;

    Block(int models, boolean hasBase, int capacity) {
        inputs = new double[models][capacity];
        base = new double[hasBase ? capacity : 0];
    }

    void moveTo(long firstElement, int elementCount) {
        first = firstElement;
        count = elementCount;
    }

    long first() {
        return first;
    }

    int count() {
        return count;
    }

    int models() {
        return inputs.length;
    }

    double[] input(int model) {
        return inputs[model];
    }

    double[][] inputs() {
        return inputs;
    }

    boolean hasBase() {
        return base.length > 0;
    }

    double[] base() {
        return base;
    }

    /// Turns every input into its difference from the base.
    void subtractBase() {
        for (double[] input : inputs) {
            for (int j = 0; j < count; j++) {
                input[j] -= base[j];
            }
        }
    }
}
