package dev.kintsugi.torch;

import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.TensorSpec;
import java.util.List;

/// One rank's part of a distributed tensor.
///
/// **Shape.** `spec` is the global tensor, `local` what this rank holds, which may be padded. `mesh` holds the ranks of
/// the tensor's mesh, or of that slice of a larger mesh which this file's rank is in. `undecidable` is set where two
/// plain shards of one dim were written by a torch that had no other way to say which came first.
public record DTensor(
        TensorSpec spec, DeviceMesh mesh, List<Placement> placements, StridedTensor local, boolean undecidable)
        implements TorchValue {
    public DTensor {
        placements = List.copyOf(placements);
    }
}
