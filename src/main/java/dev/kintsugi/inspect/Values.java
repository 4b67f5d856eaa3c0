package dev.kintsugi.inspect;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Exact values of a slice of a tensor as text.
///
/// **Shape.** `shape` is that of the slice. `text` is laid out as torch prints tensors: nested brackets,
/// columns aligned, long rows broken, `...` where elements are left out. `cells` are the elements shown, in
/// order.
public record Values(TensorSpec spec, Shape shape, boolean elided, List<String> cells, String text) {
    /// How to lay values out.
    ///
    /// @param threshold the most elements of which all are shown
    /// @param edge how many are shown at each end of a dim if there are more
    /// @param width columns of a line
    public record Layout(long threshold, int edge, int width) {
        public Layout {
            if (threshold < 0 || edge < 1 || width < 1) {
                throw new IllegalArgumentException("a layout shows something");
            }
        }

        /// What torch prints by default.
        public static Layout defaults() {
            return new Layout(1000, 3, 80);
        }
    }

    private static final int MAX_SHOWN = 1 << 18;

    public Values {
        cells = List.copyOf(cells);
    }

    /// Reads the elements of `slice` that `layout` shows, and no others.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K1003` if `slice` does not fit the tensor.
    public static Values show(Tensor tensor, TensorSlice slice, Layout layout) {
        List<TensorSlice.Axis> axes = slice.axes(tensor.spec().shape());
        Shape shape = Shape.of(axes.stream()
                .filter(TensorSlice.Axis::kept)
                .map(TensorSlice.Axis::count)
                .toList());
        boolean elided = shape.elementCount() > layout.threshold();
        if (shape.elementCount() == 0) {
            return new Values(tensor.spec(), shape, false, List.of(), "[]");
        }
        if (elided) {
            checkShown(shape, layout.edge());
        }
        Walk walk = new Walk(tensor, axes, elided ? layout.edge() : Long.MAX_VALUE);
        walk.read(0, 0);
        int widest = walk.cells.stream().mapToInt(String::length).max().orElse(0);
        int ndim = shape.ndim();
        List<Long> counts = new ArrayList<>();
        for (int dim = 0; dim < ndim; dim++) {
            counts.add(shape.dim(dim));
        }
        String text = new Printer(walk.cells, counts, elided, layout, widest).print();
        return new Values(tensor.spec(), shape, elided, walk.cells, text);
    }

    /// Twice the edge in each of many dims is more than anybody reads, or a heap holds.
    private static void checkShown(Shape shape, int edge) {
        double shown = 1;
        for (int dim = 0; dim < shape.ndim(); dim++) {
            shown *= Math.min(shape.dim(dim), 2.0 * edge);
        }
        if (shown > MAX_SHOWN) {
            throw new Fault(
                    Code.K1003,
                    "the edges alone of " + shape + " are more than " + MAX_SHOWN + " values",
                    "it has many dims",
                    "fix some of them, as in --slice 0,0");
        }
    }

    /// Reads the elements shown in row-major order of the slice.
    private static final class Walk {
        private final Tensor tensor;
        private final List<TensorSlice.Axis> axes;
        private final Shape strides;
        private final long edge;
        private final MemorySegment element;
        private final List<String> cells = new ArrayList<>();

        Walk(Tensor tensor, List<TensorSlice.Axis> axes, long edge) {
            this.tensor = tensor;
            this.axes = axes;
            this.strides = tensor.spec().shape().denseStrides();
            this.edge = edge;
            this.element = MemorySegment.ofArray(new byte[tensor.spec().dtype().byteWidth()]);
        }

        void read(int dim, long at) {
            if (dim == axes.size()) {
                tensor.read(at, 1, element);
                cells.add(Numeral.of(tensor.spec().dtype(), element));
                return;
            }
            TensorSlice.Axis axis = axes.get(dim);
            for (long i = 0; i < axis.count(); i = next(i, axis.count(), edge)) {
                read(dim + 1, at + (axis.first() + i * axis.step()) * strides.dim(dim));
            }
        }
    }

    /// The index shown after `index` of `count`, of which `edge` are shown at each end.
    private static long next(long index, long count, long edge) {
        boolean jump = index + 1 == edge && count / 2 >= edge && count > 2 * edge;
        return jump ? count - edge : index + 1;
    }

    /// Lays cells out in brackets.
    private static final class Printer {
        private final List<String> cells;
        private final List<Long> counts;
        private final long edge;
        private final Layout layout;
        private final int widest;
        private final StringBuilder text = new StringBuilder();
        private int cell;

        Printer(List<String> cells, List<Long> counts, boolean elided, Layout layout, int widest) {
            this.cells = cells;
            this.counts = counts;
            this.edge = elided ? layout.edge() : Long.MAX_VALUE;
            this.layout = layout;
            this.widest = widest;
        }

        String print() {
            if (counts.isEmpty()) {
                return cells.getFirst();
            }
            if (counts.contains(0L)) {
                return "[]";
            }
            level(0);
            return text.toString();
        }

        private void level(int dim) {
            text.append('[');
            if (dim == counts.size() - 1) {
                row(counts.get(dim));
            } else {
                String gap = "," + "\n".repeat(counts.size() - 1 - dim) + " ".repeat(dim + 1);
                long count = counts.get(dim);
                long last = -1;
                for (long i = 0; i < count; i = next(i, count, edge)) {
                    if (i > 0) {
                        text.append(i == last + 1 ? gap : gap + "..." + gap);
                    }
                    level(dim + 1);
                    last = i;
                }
            }
            text.append(']');
        }

        private void row(long count) {
            int indent = counts.size();
            int perLine = Math.max(1, (layout.width() - indent) / (widest + 2));
            String lineBreak = ",\n" + " ".repeat(indent);
            int shown = 0;
            long last = -1;
            for (long i = 0; i < count; i = next(i, count, edge)) {
                if (i > 0 && i != last + 1) {
                    text.append(shown % perLine == 0 ? lineBreak : ", ").append(" ".repeat(Math.max(0, widest - 3)));
                    text.append("...");
                    shown++;
                }
                if (i > 0) {
                    text.append(shown % perLine == 0 ? lineBreak : ", ");
                }
                String value = cells.get(cell++);
                text.append(" ".repeat(widest - value.length())).append(value);
                shown++;
                last = i;
            }
        }
    }
}
