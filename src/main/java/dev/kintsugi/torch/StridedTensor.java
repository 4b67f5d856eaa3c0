package dev.kintsugi.torch;

import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A view over a storage: element `i` along dim `d` lies `i * strides[d]` elements further on.
///
/// **Units.** `firstElement` and `strides` in elements. A stride of 0 repeats.
public final class StridedTensor implements Tensor {
    private final TensorSpec spec;
    private final Storage storage;
    private final long firstElement;
    private final Shape strides;
    private final int denseFrom;
    private final long runLength;

    StridedTensor(TensorSpec spec, Storage storage, long firstElement, Shape strides) {
        this.spec = spec;
        this.storage = storage;
        this.firstElement = firstElement;
        this.strides = strides;
        int dim = spec.shape().ndim();
        long run = 1;
        while (dim > 0 && (strides.dim(dim - 1) == run || spec.shape().dim(dim - 1) == 1)) {
            dim--;
            run = Math.multiplyExact(run, Math.max(1, spec.shape().dim(dim)));
        }
        this.denseFrom = dim;
        this.runLength = run;
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    public Storage storage() {
        return storage;
    }

    public Shape strides() {
        return strides;
    }

    /// Bytes from the start of the storage to the first element.
    public long byteOffset() {
        return firstElement * spec.dtype().byteWidth();
    }

    /// Whether the elements lie in the storage one after the other.
    public boolean isDense() {
        return denseFrom == 0;
    }

    /// Whether elements must lie over one another, being more than there are places between the first and the last.
    public boolean overlaps() {
        if (isDense() || spec.elementCount() == 0) {
            return false;
        }
        long places = 1;
        for (int dim = 0; dim < strides.ndim(); dim++) {
            places = Math.addExact(places, Math.multiplyExact(spec.shape().dim(dim) - 1, strides.dim(dim)));
        }
        return places < spec.elementCount();
    }

    /// Another view over the same elements: `shape` and `strides` from element `first` of this one on.
    ///
    /// **Errors.** [IllegalArgumentException] if this one is not dense, [IndexOutOfBoundsException] if the view
    /// leaves it.
    public StridedTensor view(long first, Shape shape, Shape strides) {
        if (!isDense()) {
            throw new IllegalArgumentException("a view over " + spec + " with strides " + this.strides);
        }
        long last = first;
        for (int dim = 0; dim < shape.ndim(); dim++) {
            last = Math.addExact(last, Math.multiplyExact(Math.max(0, shape.dim(dim) - 1), strides.dim(dim)));
        }
        if (shape.elementCount() > 0) {
            Objects.checkIndex(first, spec.elementCount());
            Objects.checkIndex(last, spec.elementCount());
        }
        return new StridedTensor(
                new TensorSpec(spec.dtype(), shape), storage, Math.addExact(firstElement, first), strides);
    }

    @Override
    public void read(long from, long count, MemorySegment target) {
        Objects.checkFromIndexSize(from, count, spec.elementCount());
        int ndim = spec.shape().ndim();
        if (runLength == 1
                && ndim > 1
                && strides.dim(ndim - 2) == 1
                && count >= spec.shape().dim(ndim - 1)) {
            readTransposed(from, count, target);
            return;
        }
        int width = spec.dtype().byteWidth();
        long done = 0;
        while (done < count) {
            long run = (from + done) / runLength;
            long within = (from + done) % runLength;
            long length = Math.min(runLength - within, count - done);
            long at = firstElement + runStart(run) + within;
            storage.bytes().read(at * width, length * width, target, done * width);
            done += length;
        }
    }

    /// Reads rows of transposed matrices: each column lies in one run, of which all rows asked for are taken at once.
    private void readTransposed(long from, long count, MemorySegment target) {
        int width = spec.dtype().byteWidth();
        int ndim = spec.shape().ndim();
        long rows = spec.shape().dim(ndim - 2);
        long columns = spec.shape().dim(ndim - 1);
        long done = 0;
        while (done < count) {
            long row = (from + done) / columns;
            long column = (from + done) % columns;
            long held = Math.min(rows - row % rows, Math.ceilDiv(column + count - done, columns));
            long length = Math.min(held * columns - column, count - done);
            MemorySegment run = MemorySegment.ofArray(new byte[Math.toIntExact(held * width)]);
            for (long c = 0; c < columns; c++) {
                storage.bytes().read((firstElement + runStart(row * columns + c)) * width, held * width, run, 0);
                for (long r = 0; r < held; r++) {
                    long at = r * columns + c - column;
                    if (at >= 0 && at < length) {
                        MemorySegment.copy(run, r * width, target, (done + at) * width, width);
                    }
                }
            }
            done += length;
        }
    }

    private long runStart(long run) {
        long start = 0;
        long rest = run;
        for (int dim = denseFrom - 1; dim >= 0; dim--) {
            long extent = spec.shape().dim(dim);
            start += rest % extent * strides.dim(dim);
            rest /= extent;
        }
        return start;
    }
}
