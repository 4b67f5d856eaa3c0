package dev.kintsugi.checkpoint;

import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Shape;
import java.util.List;

/// The mesh a person says a checkpoint was saved with: `--mesh 2x4 --mesh-dim-names ddp,fsdp`.
public record MeshOverride(Shape shape, List<String> dimNames) {
    public MeshOverride {
        dimNames = List.copyOf(dimNames);
    }

    /// Ranks 0, 1, 2, … on this mesh, row-major.
    public DeviceMesh mesh() {
        return DeviceMesh.dense(dimNames, shape);
    }
}
