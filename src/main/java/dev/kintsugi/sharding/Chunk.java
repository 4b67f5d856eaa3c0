package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;

/// A local tensor and the box it fills in the global one.
///
/// **Shape.** `local` may be longer than `region` along any dim; its leading part counts.
public record Chunk(Region region, Tensor local) {
    public Chunk {
        if (local.spec().shape().ndim() != region.ndim()) {
            throw new IllegalArgumentException(local.spec() + " does not fill " + region);
        }
        for (int dim = 0; dim < region.ndim(); dim++) {
            if (local.spec().shape().dim(dim) < region.shape().dim(dim)) {
                throw new IllegalArgumentException(local.spec() + " does not fill " + region);
            }
        }
    }
}
