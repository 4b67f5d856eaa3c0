package dev.kintsugi.export;

import dev.kintsugi.safetensors.SafetensorsLayout;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.SequencedMap;

/// A file of the output.
sealed interface PlannedFile {
    /// Its path within the target, `/` between directories.
    String name();

    /// Its size. **Units.** Bytes.
    long byteCount();

    /// Weights, laid out to the byte.
    record Weights(String name, SequencedMap<String, Tensor> tensors, SafetensorsLayout layout) implements PlannedFile {
        @Override
        public long byteCount() {
            return layout.byteCount();
        }
    }

    /// Text made here: an index, an edited configuration.
    @SuppressWarnings("ArrayRecordComponent")
    record Text(String name, byte[] bytes) implements PlannedFile {
        @Override
        public long byteCount() {
            return bytes.length;
        }
    }

    /// A sidecar, copied as bytes.
    record Copy(String name, Path source, long byteCount) implements PlannedFile {}
}
