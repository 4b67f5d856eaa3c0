package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.Region;
import java.nio.file.Path;

/// A part of a tensor as one file holds it.
///
/// **Units.** `global` in elements of the whole tensor; `byteOffset` in bytes from the start of `file`, of
/// the first element of this piece. `rank` is `-1` for a file of no rank. `record` names the entry within the
/// file, such as `data/17`. `trimmedElements` lie behind the piece on disk and are padding. `replica` is true
/// for a copy that the whole tensor is not read from.
public record Piece(
        int rank, Path file, String record, long byteOffset, Region global, long trimmedElements, boolean replica) {}
