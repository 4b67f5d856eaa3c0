package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// A run of a tensor's elements in row-major order, as the few boxes that it consists of.
///
/// Of a matrix it is at most three: the rest of a row, whole rows, the start of a row.
public final class FlatBoxes {
    private FlatBoxes() {}

    /// The boxes of elements `[first, first + count)` of a tensor of `shape`, in order; none for an empty run.
    public static List<Region> of(Shape shape, long first, long count) {
        Objects.checkFromIndexSize(first, count, shape.elementCount());
        List<Region> boxes = new ArrayList<>();
        long at = first;
        long end = first + count;
        Shape strides = shape.denseStrides();
        while (at < end) {
            int dim = widestDim(shape, strides, at, end);
            Region box = box(shape, strides, dim, at, end);
            boxes.add(box);
            at += box.elementCount();
        }
        return boxes;
    }

    /// The outermost dim along which a step from `at` is whole and stays before `end`.
    private static int widestDim(Shape shape, Shape strides, long at, long end) {
        int dim = shape.ndim();
        while (dim > 0 && at % strides.dim(dim - 1) == 0 && end - at >= strides.dim(dim - 1)) {
            dim--;
        }
        return dim;
    }

    private static Region box(Shape shape, Shape strides, int dim, long at, long end) {
        long[] offset = new long[shape.ndim()];
        long[] extent = new long[shape.ndim()];
        long rest = at;
        for (int d = 0; d < shape.ndim(); d++) {
            offset[d] = rest / strides.dim(d);
            rest %= strides.dim(d);
            extent[d] = d < dim ? 1 : shape.dim(d);
        }
        if (dim < shape.ndim()) {
            extent[dim] = Math.min(shape.dim(dim) - offset[dim], (end - at) / strides.dim(dim));
        }
        return new Region(Shape.of(offset), Shape.of(extent));
    }
}
