package dev.kintsugi.torch;

import dev.kintsugi.io.ByteSource;
import java.nio.file.Path;

/// A flat buffer that tensors are views over.
///
/// **Units.** `fileOffset` in bytes from the start of `file`, of the first byte, also where the record is deflated.
/// Two tensors with the same `file` and `record` share memory.
public record Storage(Path file, String record, long fileOffset, ByteSource bytes) {}
