package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.StridedTensor;
import java.nio.file.Path;

/// A tensor of one rank's file and where its first element lies. **Units.** `byteOffset` from the start of
/// `file`.
record Stored(int rank, Tensor tensor, Path file, String record, long byteOffset) {
    static Stored of(int rank, MappedFile file, StridedTensor tensor) {
        return new Stored(
                rank,
                tensor,
                file.path(),
                tensor.storage().record(),
                tensor.storage().fileOffset() + tensor.byteOffset());
    }

    long elementCount() {
        return tensor.spec().elementCount();
    }
}
