package dev.kintsugi.fusion;

import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// The first rows of a tensor.
record CroppedTensor(Tensor whole, long rows) implements Tensor {
    @Override
    public TensorSpec spec() {
        return new TensorSpec(whole.spec().dtype(), whole.spec().shape().with(0, rows));
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec().elementCount());
        whole.read(firstElement, elementCount, target);
    }

    @Override
    public Tensor unrounded() {
        Tensor exact = whole.unrounded();
        return exact == whole ? this : new CroppedTensor(exact, rows);
    }
}
