package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.Joining.PieceSource;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchValue;
import java.util.SequencedMap;

/// What one rank's file holds.
///
/// No record: it is a key of maps for each tensor, and must not be told from others by all that it holds.
final class RankPart {
    private final int rank;
    private final MappedFile file;
    private final SequencedMap<String, TorchValue> values;

    RankPart(int rank, MappedFile file, SequencedMap<String, TorchValue> values) {
        this.rank = rank;
        this.file = file;
        this.values = values;
    }

    int rank() {
        return rank;
    }

    MappedFile file() {
        return file;
    }

    SequencedMap<String, TorchValue> values() {
        return values;
    }

    /// Where the bytes of `local`, a tensor of this file, are.
    PieceSource source(StridedTensor local) {
        return new PieceSource(
                rank, file.path(), local.storage().record(), local.storage().fileOffset() + local.byteOffset());
    }
}
