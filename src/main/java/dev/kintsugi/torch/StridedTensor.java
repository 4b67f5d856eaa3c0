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

    @Override
    public void read(long from, long count, MemorySegment target) {
        Objects.checkFromIndexSize(from, count, spec.elementCount());
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
