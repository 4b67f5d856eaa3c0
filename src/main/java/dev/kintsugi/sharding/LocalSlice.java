package dev.kintsugi.sharding;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.Placement.Partial;
import dev.kintsugi.sharding.Placement.Replicate;
import dev.kintsugi.sharding.Placement.Shard;
import dev.kintsugi.sharding.Placement.StridedShard;
import dev.kintsugi.sharding.Placement.Unknown;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/// Where a rank's local tensor lies in the global tensor.
///
/// **Shape.** `region` follows `torch.chunk`: the last ranks along a dim may hold less, or nothing. `padded`
/// is what the local tensor measures where every rank's piece is padded to the longest one.
/// **Units.** Elements.
/// **Source.** `torch/distributed/tensor/_utils.py`, `compute_local_shape_and_global_offset`; the order of
/// strided shards: `torch/distributed/tensor/_dtensor_spec.py`.
public record LocalSlice(Region region, Shape padded) {
    /// The slice of `global` that the rank at `coordinate` of a mesh of `mesh` holds.
    ///
    /// **Errors.** [Fault] `K4001` for a Partial placement, `K4002` for one that is not known or cannot be
    /// ordered.
    public static LocalSlice of(Shape global, Shape mesh, int[] coordinate, List<Placement> placements) {
        if (placements.size() != mesh.ndim() || coordinate.length != mesh.ndim()) {
            throw new Fault(
                    Code.K3004,
                    placements.size() + " placements on a mesh of " + mesh.ndim() + " dims",
                    "the metadata is damaged, or the mesh given has another number of dims",
                    "look at it with: placements");
        }
        long[] offset = new long[global.ndim()];
        long[] extent = global.toArray();
        long[] padded = global.toArray();
        for (Split split : splits(global, mesh, coordinate, placements)) {
            offset[split.dim()] += split.from();
            extent[split.dim()] = split.to() - split.from();
            padded[split.dim()] = Math.ceilDiv(padded[split.dim()], mesh.dim(split.meshDim()));
        }
        checkDims(global, placements);
        return new LocalSlice(new Region(Shape.of(offset), Shape.of(extent)), Shape.of(padded));
    }

    /// One step on the way to a local slice: mesh dim `meshDim` splits the `extent` indices that are left of
    /// tensor dim `dim` into steps of `step`, and the rank has `[from, to)` of them.
    public record Split(int meshDim, int dim, long extent, long step, long from, long to) {}

    /// The steps in which the rank at `coordinate` comes to its slice, in their order. **Errors.** As [#of].
    public static List<Split> splits(Shape global, Shape mesh, int[] coordinate, List<Placement> placements) {
        List<Split> splits = new ArrayList<>();
        for (int dim = 0; dim < global.ndim(); dim++) {
            long extent = global.dim(dim);
            for (int meshDim : splitOrder(dim, mesh, placements)) {
                long step = Math.ceilDiv(extent, mesh.dim(meshDim));
                long from = Math.min(Math.multiplyExact(step, coordinate[meshDim]), extent);
                long to = Math.min(Math.addExact(from, step), extent);
                splits.add(new Split(meshDim, dim, extent, step, from, to));
                extent = to - from;
            }
        }
        return splits;
    }

    private static void checkDims(Shape global, List<Placement> placements) {
        for (Placement placement : placements) {
            int dim = shardedDim(placement);
            if (dim >= global.ndim()) {
                throw new Fault(
                        Code.K3004,
                        placement + " of a tensor of " + global.ndim() + " dims",
                        "the metadata is damaged",
                        "copy the file again");
            }
        }
    }

    /// The tensor dim a placement splits, or -1 for a replica.
    private static int shardedDim(Placement placement) {
        return switch (placement) {
            case Shard shard -> shard.dim();
            case StridedShard strided -> strided.dim();
            case Replicate replicate -> -1;
            case Partial partial ->
                throw new Fault(
                        Code.K4001,
                        "placement " + partial + ": every rank holds a summand, not a piece",
                        "the state dict was saved before the reduction (" + partial.reduction() + ") was done",
                        "redistribute it to Replicate or Shard in the training job and save again");
            case Unknown unknown ->
                throw new Fault(
                        Code.K4002,
                        "placement " + unknown.name() + " is not known",
                        "it was written by a torch or a plugin that has other placements",
                        "redistribute it to Replicate or Shard in the training job and save again");
        };
    }

    /// The mesh dims that split tensor dim `dim`, in the order in which they do.
    ///
    /// A plain shard goes before everything to its right. A strided one goes after as many of those as make
    /// up its split factor.
    private static List<Integer> splitOrder(int dim, Shape mesh, List<Placement> placements) {
        List<Integer> order = new ArrayList<>();
        for (int meshDim = placements.size() - 1; meshDim >= 0; meshDim--) {
            Placement placement = placements.get(meshDim);
            if (shardedDim(placement) != dim) {
                continue;
            }
            if (!(placement instanceof StridedShard strided)) {
                order.addFirst(meshDim);
                continue;
            }
            int position = 0;
            long before = 1;
            while (before < strided.splitFactor() && position < order.size()) {
                before *= mesh.dim(order.get(position));
                position++;
            }
            if (before != strided.splitFactor()) {
                throw new Fault(
                        Code.K4002,
                        strided + " on mesh dim " + meshDim + ": no mesh dims to its right split into "
                                + strided.splitFactor(),
                        "the order in which the mesh dims split the tensor cannot be told",
                        "redistribute it to plain shards in the training job and save again");
            }
            order.add(position, meshDim);
        }
        return order;
    }
}
