package dev.kintsugi.export;

import dev.kintsugi.tensor.DType;
import java.util.Map;
import java.util.Optional;

/// How to write a model.
///
/// @param dtype what floating point tensors are cast to; absent keeps each as it is
/// @param maxShardBytes the most one weight file holds, one larger tensor excepted
/// @param replace take the place of an existing target
/// @param resume keep the finished files of an export that was killed
/// @param metadata what goes into the files' metadata besides `format`
public record ExportOptions(
        Optional<DType> dtype, long maxShardBytes, boolean replace, boolean resume, Map<String, String> metadata) {
    /// The size at which weights are divided among files, unless told otherwise. **Units.** Bytes.
    public static final long DEFAULT_MAX_SHARD_BYTES = 5_000_000_000L;

    public ExportOptions {
        metadata = Map.copyOf(metadata);
        if (maxShardBytes <= 0) {
            throw new IllegalArgumentException("a file holds a byte at least");
        }
    }

    public static ExportOptions defaults() {
        return new ExportOptions(Optional.empty(), DEFAULT_MAX_SHARD_BYTES, false, false, Map.of());
    }
}
