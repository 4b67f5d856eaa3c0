package dev.kintsugi.torch;

import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Bool;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.sharding.Placement.Shard;
import dev.kintsugi.sharding.Placement.StridedShard;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// The order in which mesh dims split one tensor dim, which torch says in one of two ways: by strided shards,
/// or from 2.9 on by a `shard_order` beside plain ones.
///
/// **Source.** `torch/distributed/tensor/_dtensor_spec.py`, `_convert_shard_order_to_StridedShard`.
final class ShardOrder {
    private ShardOrder() {}

    /// `placements` with strided shards where the fields of their `DTensorSpec` order plain ones other than
    /// left to right.
    ///
    /// A strided shard that a view of a tensor left behind orders nothing, and is a placement that is not known.
    static List<Placement> applied(List<Placement> placements, DeviceMesh mesh, Dict spec) {
        boolean strided = placements.stream().anyMatch(StridedShard.class::isInstance);
        if (strided) {
            boolean ordering = Pickled.field(spec, "use_strided_shard_as_shard_order")
                    .map(flag -> !(flag instanceof Bool bool) || bool.value())
                    .orElse(true);
            return ordering
                    ? placements
                    : placements.stream().map(ShardOrder::ofView).toList();
        }
        boolean ordered =
                placements.stream().filter(Shard.class::isInstance).distinct().count()
                        < placements.stream().filter(Shard.class::isInstance).count();
        Optional<PickleValue> order = Pickled.field(spec, "shard_order");
        return ordered && order.isPresent() ? strided(placements, mesh, order.get()) : placements;
    }

    private static Placement ofView(Placement placement) {
        return placement instanceof StridedShard strided
                ? new Placement.Unknown("StridedShard(" + strided.dim() + ") of a view")
                : placement;
    }

    private static List<Placement> strided(List<Placement> placements, DeviceMesh mesh, PickleValue order) {
        List<Placement> strided = new ArrayList<>(placements);
        int said = 0;
        for (PickleValue value : Pickled.items(order, "a shard order")) {
            PickleValue.Call entry = Pickled.call(value, "an entry of a shard order");
            List<Integer> meshDims =
                    Pickled.items(Pickled.argument(entry, 1), "the mesh dims of a shard order").stream()
                            .map(dim -> Math.clamp(
                                    Pickled.number(dim, "a mesh dim of a shard order"), -1, Integer.MAX_VALUE))
                            .toList();
            for (int i = 0; i < meshDims.size(); i++) {
                int meshDim = meshDims.get(i);
                boolean sharded = meshDim >= 0
                        && meshDim < Math.min(placements.size(), mesh.ndim())
                        && strided.get(meshDim) instanceof Shard;
                if (!sharded || meshDims.indexOf(meshDim) != i) {
                    throw Pickled.fault("a shard order of mesh dim " + meshDim + " for placements " + placements);
                }
                long factor = IntStream.range(0, i)
                        .map(meshDims::get)
                        .filter(before -> before > meshDim)
                        .mapToLong(before -> mesh.shape().dim(before))
                        .reduce(1, Math::multiplyExact);
                if (factor > 1 && strided.get(meshDim) instanceof Shard shard) {
                    strided.set(meshDim, new StridedShard(shard.dim(), Math.toIntExact(factor)));
                }
                said++;
            }
        }
        if (said != placements.stream().filter(Shard.class::isInstance).count()) {
            throw Pickled.fault("a shard order of " + said + " mesh dims for placements " + placements);
        }
        return strided;
    }
}
