package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.TensorSpec;
import java.util.List;

/// How one tensor lies over the ranks.
///
/// `storedName` is its name in the files, `ownName` what the framework calls it: with global numbers, where files
/// number layers their own way or not at all. `kind` says how it was stored: `DTensor`, `ShardedTensor`, `plain`,
/// `chunks`, `buffer`. `meshDims` (such as `fsdp=8`) and `placements` (such as `Shard(0)`) go together,
/// outermost first, and are empty where there is no mesh. `absent` is what ranks without a file should hold,
/// where the others' metadata tells it.
public record Layout(
        String storedName,
        String ownName,
        String kind,
        TensorSpec spec,
        List<String> meshDims,
        List<String> placements,
        List<Piece> pieces,
        List<Absent> absent) {
    /// What [#kind()] is for a buffer that the training code registered, and that no architecture knows.
    public static final String BUFFER = "buffer";

    public Layout {
        meshDims = List.copyOf(meshDims);
        placements = List.copyOf(placements);
        pieces = List.copyOf(pieces);
        absent = List.copyOf(absent);
    }

    /// A tensor that the framework calls as the files do.
    public Layout(
            String storedName,
            String kind,
            TensorSpec spec,
            List<String> meshDims,
            List<String> placements,
            List<Piece> pieces,
            List<Absent> absent) {
        this(storedName, storedName, kind, spec, meshDims, placements, pieces, absent);
    }

    /// The same, of which no rank is missing.
    public Layout(
            String storedName,
            String kind,
            TensorSpec spec,
            List<String> meshDims,
            List<String> placements,
            List<Piece> pieces) {
        this(storedName, storedName, kind, spec, meshDims, placements, pieces, List.of());
    }

    /// The part of a tensor that a rank without a file should hold.
    public record Absent(int rank, Region region) {}

    /// Elements that no file holds.
    public long missingElements() {
        long held = pieces.stream()
                .filter(p -> !p.replica())
                .mapToLong(p -> p.global().elementCount())
                .sum();
        return spec.shape().elementCount() - held;
    }

    /// The same, known to be a buffer.
    public Layout asBuffer() {
        return new Layout(storedName, ownName, BUFFER, spec, meshDims, placements, pieces, absent);
    }

    /// The same of some of the pieces.
    public Layout withPieces(List<Piece> some) {
        return new Layout(storedName, ownName, kind, spec, meshDims, placements, some, absent);
    }
}
