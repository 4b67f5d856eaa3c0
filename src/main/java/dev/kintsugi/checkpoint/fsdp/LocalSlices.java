package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.sharding.LocalSlice;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.Shape;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The slices that the ranks of a mesh have of tensors of one shape and placement, each worked out once: the layers
/// of a model repeat a few shapes.
final class LocalSlices {
    private final Shape global;
    private final Shape mesh;
    private final List<Placement> placements;
    private final Map<Integer, LocalSlice> byPosition = new HashMap<>();

    private LocalSlices(Shape global, Shape mesh, List<Placement> placements) {
        this.global = global;
        this.mesh = mesh;
        this.placements = placements;
    }

    /// What was worked out for all shapes so far.
    static final class Known {
        private final Map<List<Object>, LocalSlices> all = new HashMap<>();

        LocalSlices of(Shape global, Shape mesh, List<Placement> placements) {
            return all.computeIfAbsent(
                    List.of(global, mesh, placements), key -> new LocalSlices(global, mesh, placements));
        }
    }

    /// As [LocalSlice#of], at `coordinate` of the mesh.
    LocalSlice at(int[] coordinate) {
        int position = 0;
        for (int dim = 0; dim < coordinate.length; dim++) {
            position = position * Math.toIntExact(mesh.dim(dim)) + coordinate[dim];
        }
        @Nullable LocalSlice slice = byPosition.get(position);
        if (slice == null) {
            slice = LocalSlice.of(global, mesh, coordinate, placements);
            byPosition.put(position, slice);
        }
        return slice;
    }
}
