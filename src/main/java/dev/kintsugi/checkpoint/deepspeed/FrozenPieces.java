package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.StridedTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Frozen parameters at stage 3: every rank's model states hold a flat piece of each.
record FrozenPieces(TagStates tag, OpenOptions options, int worldSize) {

    /// Adds each of them to `join`.
    ///
    /// **Errors.** [Fault] `K3001` if a rank's file is missing, `K3102` for a piece of another size.
    void addTo(ModelJoin join) {
        tag.model().frozenShapes().forEach((name, shape) -> {
            if (!join.has(name)) {
                add(join, name, shape);
            }
        });
    }

    private void add(ModelJoin join, String name, Shape shape) {
        long per = Math.ceilDiv(shape.elementCount(), (long) worldSize);
        List<FlatRun> runs = new ArrayList<>();
        List<Integer> absent = new ArrayList<>();
        Optional<DType> dtype = Optional.empty();
        for (int rank = 0; rank < worldSize; rank++) {
            ModelStates states = tag.models().get(rank);
            if (states == null) {
                absent.add(rank);
                runs.add(new FlatRun(List.of(new Part(rank, per, Optional.empty()))));
                continue;
            }
            StridedTensor piece = states.frozenFragments().get(name);
            if (piece == null || piece.spec().elementCount() != per) {
                throw new Fault(
                        Code.K3102,
                        states.file().name() + ": frozen " + name + " has "
                                + (piece == null ? "no piece" : "a piece of " + piece.spec()) + ", "
                                + per + " of " + shape.elementCount() + " elements belong here",
                        "the file is of another run",
                        "copy rank " + rank + " again");
            }
            dtype = Optional.of(piece.spec().dtype());
            runs.add(new FlatRun(List.of(Part.of(Stored.of(rank, states.file(), piece)))));
        }
        if (!absent.isEmpty() && !options.allowMissing()) {
            throw new Fault(
                    Code.K3001,
                    "the model states of ranks " + Ranks.text(absent) + " are missing, and with them pieces of frozen "
                            + name,
                    "those ranks were written on another host, or were not copied",
                    "copy their *_model_states.pt here, or look at the rest with: open … --allow-missing");
        }
        join.flat(
                name,
                new TensorSpec(dtype.orElse(DType.BF16), shape),
                FlatLayout.splitOne(runs, 0, shape.elementCount()),
                "Flat");
    }
}
