package dev.kintsugi.zip;

/// One entry of an archive.
///
/// **Units.** Bytes; `dataOffset` counts from the start of the archive's source. `crc32` is what the central directory
/// says of the uncompressed bytes.
public record ZipRecord(
        String name, boolean deflated, long crc32, long compressedByteCount, long byteCount, long dataOffset) {}
