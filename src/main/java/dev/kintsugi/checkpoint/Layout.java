package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.TensorSpec;
import java.util.List;

/// How one tensor lies over the ranks.
///
/// `storedName` is its name in the files. `kind` says how it was stored: `DTensor`, `ShardedTensor`, `plain`,
/// `chunks`, `buffer`. `meshDims` (such as `fsdp=8`) and `placements` (such as `Shard(0)`) go together,
/// outermost first, and are empty where there is no mesh.
public record Layout(
        String storedName,
        String kind,
        TensorSpec spec,
        List<String> meshDims,
        List<String> placements,
        List<Piece> pieces) {
    /// What [#kind()] is for a buffer that the training code registered, and that no architecture knows.
    public static final String BUFFER = "buffer";

    public Layout {
        meshDims = List.copyOf(meshDims);
        placements = List.copyOf(placements);
        pieces = List.copyOf(pieces);
    }

    /// The same, known to be a buffer.
    public Layout asBuffer() {
        return new Layout(storedName, BUFFER, spec, meshDims, placements, pieces);
    }
}
