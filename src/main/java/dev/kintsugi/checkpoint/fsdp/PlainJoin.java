package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Joining;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.StridedTensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Joins tensors that have no placement metadata.
///
/// Equal on all ranks means one copy, different means pieces along dim 0 in rank order. A mesh given by hand
/// decides instead where it names its replicating dims: ranks that differ only along those must hold the
/// same.
final class PlainJoin {
    private static final Set<String> REPLICATING = Set.of("ddp", "dp_replicate", "replicate", "dp_rep");
    private static final int BLOCK_BYTES = 1 << 20;

    private final OpenOptions options;
    private final int worldSize;
    private final List<Note> notes;
    private final List<String> copies = new ArrayList<>();
    private final List<String> concatenated = new ArrayList<>();

    PlainJoin(OpenOptions options, int worldSize, List<Note> notes) {
        this.options = options;
        this.worldSize = worldSize;
        this.notes = notes;
    }

    JoinedTensor join(String name, Map<RankPart, StridedTensor> values) {
        Map<RankPart, StridedTensor> groups = firstOfReplicas(name, values);
        StridedTensor first = groups.values().iterator().next();
        boolean equal = groups.values().stream().allMatch(t -> same(first, t));
        if (equal) {
            if (worldSize > 1) {
                copies.add(name);
            }
            Joining joining = new Joining(name, "plain", first.spec());
            values.forEach(
                    (part, tensor) -> joining.add(Region.whole(first.spec().shape()), tensor, part.source(tensor)));
            return joining.join(Optional.empty(), List.of("Replicate"));
        }
        concatenated.add(name);
        return concatenate(name, groups);
    }

    private JoinedTensor concatenate(String name, Map<RankPart, StridedTensor> values) {
        StridedTensor first = values.values().iterator().next();
        Shape shape = first.spec().shape();
        if (shape.ndim() == 0) {
            throw new Fault(
                    Code.K3008,
                    name + ": a scalar that differs between ranks",
                    "it has no placement metadata, and scalars cannot be concatenated",
                    "compare the ranks, and save it once in the training job");
        }
        long rows = 0;
        for (Map.Entry<RankPart, StridedTensor> entry : values.entrySet()) {
            TensorSpec spec = entry.getValue().spec();
            if (spec.dtype() != first.spec().dtype()
                    || spec.shape().ndim() != shape.ndim()
                    || !spec.shape().with(0, 0).equals(shape.with(0, 0))) {
                throw new Fault(
                        Code.K3003,
                        name + ": rank " + entry.getKey().rank() + " holds " + spec + ", rank "
                                + values.keySet().iterator().next().rank() + " holds " + first.spec(),
                        "without placement metadata only dim 0 can differ between ranks",
                        "copy the ranks of one step again");
            }
            rows = Math.addExact(rows, spec.shape().dim(0));
        }
        Joining joining = new Joining(name, "plain", new TensorSpec(first.spec().dtype(), shape.with(0, rows)));
        long row = 0;
        for (Map.Entry<RankPart, StridedTensor> entry : values.entrySet()) {
            StridedTensor tensor = entry.getValue();
            Region region = new Region(
                    Shape.zeros(shape.ndim()).with(0, row), tensor.spec().shape());
            joining.add(region, tensor, entry.getKey().source(tensor));
            row += tensor.spec().shape().dim(0);
        }
        return joining.join(Optional.empty(), List.of("Shard(0)"));
    }

    /// One rank of each group that the mesh given by hand says is replicated; all ranks without one.
    private Map<RankPart, StridedTensor> firstOfReplicas(String name, Map<RankPart, StridedTensor> values) {
        if (options.mesh().isEmpty()) {
            return values;
        }
        DeviceMesh mesh = options.mesh().get().mesh();
        Map<List<Integer>, RankPart> firsts = new LinkedHashMap<>();
        Map<RankPart, StridedTensor> kept = new LinkedHashMap<>();
        values.forEach((part, tensor) -> {
            int[] coordinate = mesh.coordinate(part.rank()).orElseThrow();
            List<Integer> sharded = new ArrayList<>();
            for (int dim = 0; dim < coordinate.length; dim++) {
                if (!REPLICATING.contains(mesh.dimNames().get(dim))) {
                    sharded.add(coordinate[dim]);
                }
            }
            RankPart first = firsts.putIfAbsent(sharded, part);
            if (first == null) {
                kept.put(part, tensor);
            } else if (!same(values.getOrDefault(first, tensor), tensor)) {
                throw new Fault(
                        Code.K3008,
                        name + ": ranks " + first.rank() + " and " + part.rank() + " differ",
                        "on the mesh given they are replicas of each other",
                        "give the mesh the job had, or none");
            }
        });
        return kept;
    }

    private static boolean same(StridedTensor one, StridedTensor other) {
        if (!one.spec().equals(other.spec())) {
            return false;
        }
        long count = one.spec().elementCount();
        int width = one.spec().dtype().byteWidth();
        int block = (int) Math.min(count, BLOCK_BYTES / width);
        MemorySegment left = MemorySegment.ofArray(new byte[block * width]);
        MemorySegment right = MemorySegment.ofArray(new byte[block * width]);
        for (long from = 0; from < count; from += block) {
            long length = Math.min(block, count - from);
            one.read(from, length, left);
            other.read(from, length, right);
            if (MemorySegment.mismatch(left, 0, length * width, right, 0, length * width) >= 0) {
                return false;
            }
        }
        return true;
    }

    /// Notes what was decided by comparing values.
    void finish() {
        if (worldSize > 1 && !copies.isEmpty()) {
            notes.add(Note.information(
                    copies.size() + " tensors without placement metadata are equal on all ranks: one copy taken ("
                            + some(copies) + ")"));
        }
        if (!concatenated.isEmpty()) {
            notes.add(Note.information(
                    concatenated.size() + " tensors without placement metadata differ between ranks: concatenated"
                            + " along dim 0 (" + some(concatenated) + ")"));
        }
    }

    private static String some(List<String> names) {
        return names.size() <= 3 ? String.join(", ", names) : String.join(", ", names.subList(0, 3)) + ", …";
    }
}
