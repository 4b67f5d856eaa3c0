package dev.kintsugi.export;

import dev.kintsugi.safetensors.SafetensorsLayout;
import dev.kintsugi.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
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

    /// A sidecar, copied as bytes if it still is what it was when the export was planned.
    record Copy(String name, Path source, long byteCount, FileTime modified) implements PlannedFile {
        static Copy of(String name, Path source) throws IOException {
            BasicFileAttributes now = Files.readAttributes(source, BasicFileAttributes.class);
            return new Copy(name, source, now.size(), now.lastModifiedTime());
        }

        boolean unchanged() throws IOException {
            return equals(of(name, source));
        }
    }
}
