package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A run of another tensor's elements under a shape of its own: a layer of a stack, rows of a matrix, a view.
///
/// **Memory.** Nothing but the source.
public final class FlatSlice implements Tensor {
    private final Tensor source;
    private final long firstElement;
    private final TensorSpec spec;

    private FlatSlice(Tensor source, long firstElement, TensorSpec spec) {
        this.source = source;
        this.firstElement = firstElement;
        this.spec = spec;
    }

    /// The elements of `source` from `firstElement` on that fill `shape`; all of it in its own shape is itself.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if the run leaves the source.
    public static Tensor of(Tensor source, long firstElement, Shape shape) {
        Objects.checkFromIndexSize(
                firstElement, shape.elementCount(), source.spec().elementCount());
        if (shape.equals(source.spec().shape())) {
            return source;
        }
        return new FlatSlice(source, firstElement, new TensorSpec(source.spec().dtype(), shape));
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long from, long count, MemorySegment target) {
        Objects.checkFromIndexSize(from, count, spec.elementCount());
        source.read(firstElement + from, count, target);
    }
}
