package dev.kintsugi.fusion;

import dev.kintsugi.tensor.Shape;

/// Which group an element belongs to: `(element mod period) / inner`.
///
/// Rows, columns, blocks of either and the whole tensor all have this form. **Units.** Elements.
record Grouping(long period, long inner) {
    static Grouping whole(Shape shape) {
        long count = Math.max(1, shape.elementCount());
        return new Grouping(count, count);
    }

    /// One group for each vector along the last axis; all of a tensor with fewer than two dims.
    static Grouping lastAxis(Shape shape) {
        return blocksOfRows(shape, 1);
    }

    /// One group for each vector along the first axis.
    static Grouping firstAxis(Shape shape) {
        if (shape.ndim() < 2) {
            return whole(shape);
        }
        return new Grouping(Math.max(1, shape.elementCountFrom(1)), 1);
    }

    /// One group for each index of the last axis.
    static Grouping columns(Shape shape) {
        return blocksOfColumns(shape, 1);
    }

    /// One group for each `rows` vectors along the last axis.
    static Grouping blocksOfRows(Shape shape, long rows) {
        if (shape.ndim() < 2) {
            return whole(shape);
        }
        long row = Math.max(1, shape.dim(shape.ndim() - 1));
        return new Grouping(Math.max(1, shape.elementCount()), Math.multiplyExact(row, rows));
    }

    /// One group for each `columns` indices of the last axis.
    static Grouping blocksOfColumns(Shape shape, long columns) {
        if (shape.ndim() < 2) {
            return whole(shape);
        }
        return new Grouping(Math.max(1, shape.dim(shape.ndim() - 1)), columns);
    }

    /// One group for each `elements` of a 1-d tensor, such as a bias.
    static Grouping blocksOfElements(Shape shape, long elements) {
        return new Grouping(Math.max(1, shape.elementCount()), elements);
    }

    int count() {
        return Math.toIntExact(Math.ceilDiv(period, inner));
    }

    /// Called with runs of elements of one group.
    interface RunVisitor {
        void run(int group, int from, int to);
    }

    /// Splits elements `[first, first + count)` into runs of one group; `from` and `to` count from `first`.
    void runs(long first, int count, RunVisitor visitor) {
        int from = 0;
        while (from < count) {
            long place = (first + from) % period;
            long group = place / inner;
            long left = Math.min((group + 1) * inner, period) - place;
            int to = (int) Math.min(count, from + left);
            visitor.run((int) group, from, to);
            from = to;
        }
    }
}
