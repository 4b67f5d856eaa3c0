package dev.kintsugi.tensor;

/// What a tensor is before anyone looks at its elements. Prints as `BF16 [4096, 11008]`.
public record TensorSpec(DType dtype, Shape shape) {
    public long elementCount() {
        return shape.elementCount();
    }

    /// Bytes of the dense tensor.
    public long byteCount() {
        return Math.multiplyExact(shape.elementCount(), dtype.byteWidth());
    }

    @Override
    public String toString() {
        return dtype + " " + shape;
    }
}
