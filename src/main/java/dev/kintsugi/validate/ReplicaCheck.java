package dev.kintsugi.validate;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Code;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.sharding.Chunk;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/// Compares the copies that several ranks hold of one box of a tensor.
final class ReplicaCheck {
    private final Checkpoint checkpoint;
    private final Job job;

    private ReplicaCheck(Checkpoint checkpoint, Job job) {
        this.checkpoint = checkpoint;
        this.job = job;
    }

    static List<Finding> run(Checkpoint checkpoint, Job job) {
        ReplicaCheck check = new ReplicaCheck(checkpoint, job);
        List<Layout> replicated = checkpoint.layouts().values().stream()
                .filter(l -> l.pieces().stream().anyMatch(Piece::replica))
                .toList();
        return Parallel.map(job, replicated, check::compare).stream()
                .flatMap(Optional::stream)
                .toList();
    }

    private Optional<Finding> compare(Layout layout) {
        Map<Region, Piece> first = new LinkedHashMap<>();
        for (Piece piece : layout.pieces()) {
            Piece original = piece.global().isEmpty() ? null : first.putIfAbsent(piece.global(), piece);
            if (original == null) {
                continue;
            }
            Optional<Tensor> one = local(original, layout);
            Optional<Tensor> other = local(piece, layout);
            if (one.isEmpty() || other.isEmpty()) {
                continue;
            }
            OptionalLong difference = Equality.firstDifference(one.get(), other.get(), job);
            if (difference.isPresent()) {
                return Optional.of(Finding.error(
                        Code.K3008,
                        layout.storedName(),
                        "ranks " + original.rank() + " and " + piece.rank() + " hold different values of "
                                + piece.global() + ", from element " + difference.getAsLong() + " of it on"));
            }
        }
        return Optional.empty();
    }

    /// What `piece` is of; the local tensor of its rank where the framework cuts no tensors.
    private Optional<Tensor> local(Piece piece, Layout layout) {
        if (piece.cut().isPresent()) {
            return Optional.of(piece.cut().get().elements());
        }
        Region region = piece.global();
        StateDict view = checkpoint.ranks().get(piece.rank());
        if (view == null) {
            return Optional.empty();
        }
        TensorSpec spec = new TensorSpec(layout.spec().dtype(), region.shape());
        return view.find(layout.storedName())
                .filter(t -> t.spec().shape().ndim() == region.ndim())
                .map(t -> AssembledTensor.of(spec, List.of(new Chunk(Region.whole(region.shape()), t))));
    }
}
