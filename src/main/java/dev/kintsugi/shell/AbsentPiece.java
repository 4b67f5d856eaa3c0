package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.ShardFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// What a rank that is not there should hold of a tensor.
///
/// @param piece as it would be; its file is the one that is looked for
/// @param status of the file: `missing`, `damaged`
record AbsentPiece(Piece piece, String status) {
    static List<AbsentPiece> of(Layout layout, Checkpoint checkpoint) {
        return layout.absent().stream().map(a -> of(a, checkpoint)).toList();
    }

    private static AbsentPiece of(Layout.Absent absent, Checkpoint checkpoint) {
        Optional<ShardFile> file = checkpoint.files().stream()
                .filter(f -> f.rank().equals(OptionalInt.of(absent.rank())))
                .findFirst();
        Path path = file.map(ShardFile::path).orElse(Path.of("rank " + absent.rank()));
        return new AbsentPiece(
                new Piece(absent.rank(), path, "", 0, absent.region(), 0, false),
                file.map(ShardFile::status).orElse("missing"));
    }

    String who() {
        return "rank " + piece.rank() + ", " + status;
    }
}
