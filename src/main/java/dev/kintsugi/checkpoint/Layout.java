package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.TensorSpec;
import java.util.List;

/// How one tensor lies over the ranks.
///
/// `storedName` is its name in the files. `kind` says how it was stored: `DTensor`, `ShardedTensor`, `plain`,
/// `chunks`. `meshDims` (such as `fsdp=8`) and `placements` (such as `Shard(0)`) go together, outermost first, and
/// are empty where there is no mesh.
public record Layout(
        String storedName,
        String kind,
        TensorSpec spec,
        List<String> meshDims,
        List<String> placements,
        List<Piece> pieces) {
    public Layout {
        meshDims = List.copyOf(meshDims);
        placements = List.copyOf(placements);
        pieces = List.copyOf(pieces);
    }
}
