package dev.kintsugi.torch;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.TensorSpec;
import java.util.List;

/// One rank's part of a tensor in the sharded form before DTensor: the boxes it holds, and their tensors.
///
/// **Source.** `torch/distributed/_shard/sharded_tensor/api.py`.
public record ShardedTensor(TensorSpec spec, List<Region> regions, List<StridedTensor> locals) implements TorchValue {
    public ShardedTensor {
        if (regions.size() != locals.size()) {
            throw new IllegalArgumentException(regions.size() + " boxes for " + locals.size() + " tensors");
        }
        regions = List.copyOf(regions);
        locals = List.copyOf(locals);
    }
}
