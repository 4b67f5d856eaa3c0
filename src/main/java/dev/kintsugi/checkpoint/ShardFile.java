package dev.kintsugi.checkpoint;

import java.nio.file.Path;
import java.util.OptionalInt;

/// One file of a checkpoint.
///
/// **Units.** `byteCount` in bytes on disk, `modifiedMillis` since 1970. `rank` is absent where a file
/// belongs to no rank (safetensors). `status` is `ok`, `missing` or what is wrong with it, in a few words.
public record ShardFile(
        Path path, OptionalInt rank, int tensorCount, long byteCount, long modifiedMillis, String status) {}
