package dev.kintsugi.tensor;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A box in a tensor: where it starts and how far it reaches along each dim.
///
/// **Units.** Elements. **Errors.** [IllegalArgumentException] if `offset` and `shape` differ in their number of dims.
public record Region(Shape offset, Shape shape) {
    public Region {
        if (offset.ndim() != shape.ndim()) {
            throw new IllegalArgumentException("offset " + offset + " and shape " + shape + " differ in ndim");
        }
    }

    /// All of a tensor of `shape`.
    public static Region whole(Shape shape) {
        return new Region(Shape.zeros(shape.ndim()), shape);
    }

    /// Written out, as what a record is given is linked at its first use, which opening waits for.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Region that && offset.equals(that.offset) && shape.equals(that.shape);
    }

    @Override
    public int hashCode() {
        return 31 * offset.hashCode() + shape.hashCode();
    }

    public int ndim() {
        return shape.ndim();
    }

    public long elementCount() {
        return shape.elementCount();
    }

    public boolean isEmpty() {
        return elementCount() == 0;
    }

    /// The first index past this box along `dim`.
    public long end(int dim) {
        return Math.addExact(offset.dim(dim), shape.dim(dim));
    }

    /// Whether this box lies within a tensor of `outer`.
    public boolean fitsIn(Shape outer) {
        if (outer.ndim() != ndim()) {
            return false;
        }
        for (int d = 0; d < ndim(); d++) {
            if (end(d) > outer.dim(d)) {
                return false;
            }
        }
        return true;
    }

    /// What both boxes cover, or nothing.
    public Optional<Region> intersect(Region other) {
        long[] from = new long[ndim()];
        long[] extent = new long[ndim()];
        for (int d = 0; d < ndim(); d++) {
            from[d] = Math.max(offset.dim(d), other.offset.dim(d));
            long to = Math.min(end(d), other.end(d));
            if (to <= from[d]) {
                return Optional.empty();
            }
            extent[d] = to - from[d];
        }
        return Optional.of(new Region(Shape.of(from), Shape.of(extent)));
    }

    /// `[0:4, 8:16]`, in the notation of slices.
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("[");
        for (int d = 0; d < ndim(); d++) {
            text.append(d == 0 ? "" : ", ").append(offset.dim(d)).append(':').append(end(d));
        }
        return text.append(']').toString();
    }
}
