package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Tensor;
import java.util.Objects;

/// Elements `[firstElement, firstElement + elementCount)` of `source`, in row-major order.
///
/// **Errors.** [IndexOutOfBoundsException] if the source has no such elements.
public record FlatRange(Tensor source, long firstElement, long elementCount) {
    public FlatRange {
        Objects.checkFromIndexSize(firstElement, elementCount, source.spec().elementCount());
    }
}
