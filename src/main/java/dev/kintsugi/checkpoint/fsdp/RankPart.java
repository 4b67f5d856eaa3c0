package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.Joining.PieceSource;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchValue;
import java.util.SequencedMap;

/// What one rank's file holds.
record RankPart(int rank, MappedFile file, SequencedMap<String, TorchValue> values) {
    /// Where the bytes of `local`, a tensor of this file, are.
    PieceSource source(StridedTensor local) {
        return new PieceSource(
                rank, file.path(), local.storage().record(), local.storage().fileOffset() + local.byteOffset());
    }
}
