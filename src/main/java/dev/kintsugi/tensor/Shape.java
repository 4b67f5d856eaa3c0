package dev.kintsugi.tensor;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// The extent of a tensor along each of its dims; also used for offsets and strides, which have the same form.
///
/// **Units.** Elements. `ndim() == 0` is a scalar of one element.
/// **Errors.** [IllegalArgumentException] for a negative extent, [ArithmeticException] where a product leaves `long`.
public final class Shape {
    /// The shape of a 0-d tensor.
    public static final Shape SCALAR = new Shape(new long[0]);

    private final long[] dims;

    private Shape(long[] dims) {
        this.dims = dims;
    }

    public static Shape of(long... dims) {
        for (long d : dims) {
            if (d < 0) {
                throw new IllegalArgumentException("negative extent in " + Arrays.toString(dims));
            }
        }
        return dims.length == 0 ? SCALAR : new Shape(dims.clone());
    }

    public static Shape of(List<Long> dims) {
        return of(dims.stream().mapToLong(Long::longValue).toArray());
    }

    /// `ndim` zeros: the origin of a tensor.
    public static Shape zeros(int ndim) {
        return of(new long[ndim]);
    }

    public int ndim() {
        return dims.length;
    }

    public long dim(int index) {
        return dims[index];
    }

    public long[] toArray() {
        return dims.clone();
    }

    /// The product of all extents; 1 for a scalar.
    public long elementCount() {
        for (long d : dims) {
            if (d == 0) {
                return 0;
            }
        }
        long count = 1;
        for (long d : dims) {
            count = Math.multiplyExact(count, d);
        }
        return count;
    }

    /// The product of the extents from `firstDim` on: the elements of one step along the dim before.
    public long elementCountFrom(int firstDim) {
        long count = 1;
        for (int i = firstDim; i < dims.length; i++) {
            count = Math.multiplyExact(count, dims[i]);
        }
        return count;
    }

    /// This shape with the extent along `dim` replaced.
    public Shape with(int dim, long extent) {
        long[] copy = dims.clone();
        copy[dim] = extent;
        return of(copy);
    }

    /// Row-major strides of a dense tensor of this shape, as torch computes them (an extent of 0 counts as 1).
    public Shape denseStrides() {
        long[] strides = new long[dims.length];
        long step = 1;
        for (int i = dims.length - 1; i >= 0; i--) {
            strides[i] = step;
            step = Math.multiplyExact(step, Math.max(1, dims[i]));
        }
        return of(strides);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape that && Arrays.equals(dims, that.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /// `[4096, 11008]`, and `[]` for a scalar.
    @Override
    public String toString() {
        return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
