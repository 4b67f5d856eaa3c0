package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Consecutive elements of another tensor as a tensor of their own.
public record RangeTensor(TensorSpec spec, Tensor source, long firstSourceElement) implements Tensor {
    public RangeTensor {
        Objects.checkFromIndexSize(
                firstSourceElement, spec.elementCount(), source.spec().elementCount());
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        source.read(firstSourceElement + firstElement, elementCount, target);
    }
}
