package dev.kintsugi.safetensors;

import dev.kintsugi.io.ByteSource;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A dense tensor in a file, readable until the file closes.
///
/// **Units.** `byteOffset` in bytes from the start of the file.
public record StoredTensor(TensorSpec spec, ByteSource file, long byteOffset) implements Tensor {
    /// Where its last byte ends.
    long byteEnd() {
        return byteOffset + spec.byteCount();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        int width = spec.dtype().byteWidth();
        file.read(byteOffset + firstElement * width, elementCount * width, target, 0);
    }
}
