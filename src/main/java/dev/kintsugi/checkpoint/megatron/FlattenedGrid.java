package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.FlatBoxes;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// How the distributed optimizer keeps a state in a `torch_dist` checkpoint (`fully_sharded_model_space`): each rank of
/// a data-parallel group has a run of the elements of the piece that its tensor-parallel rank holds.
///
/// **Shape.** The entry has the number of pieces along each dim, then the elements of one: a `[4, 96, 32]` cut into
/// 4 × 4 × 1 pieces is a `[4, 4, 1, 768]`. A chunk is a run of the last axis of one cell.
///
/// **Source.** `megatron/core/dist_checkpointing/strategies/torch.py` of 0.7 to 0.15,
/// `sharded_tensor_to_torch_sharded_tensor`.
///
/// @param whole the shape of the state, which is its parameter's
/// @param piece the shape of a piece
record FlattenedGrid(Shape whole, Shape piece) {
    /// That of the entry `name`; nothing if it is not so.
    ///
    /// **Errors.** [Fault] `K3101` where the entry is no grid of its whole shape.
    static Optional<FlattenedGrid> of(DcpMetadata metadata, String name) {
        Shape whole = metadata.flattened().get(name);
        Entry entry = metadata.tensors().get(name);
        if (whole == null || entry == null) {
            return Optional.empty();
        }
        Shape cells = entry.spec().shape();
        boolean fits = cells.ndim() == whole.ndim() + 1;
        long[] piece = new long[whole.ndim()];
        for (int dim = 0; fits && dim < piece.length; dim++) {
            fits = cells.dim(dim) > 0 && whole.dim(dim) % cells.dim(dim) == 0;
            piece[dim] = fits ? whole.dim(dim) / cells.dim(dim) : 0;
        }
        if (!fits || Shape.of(piece).elementCount() != cells.dim(piece.length)) {
            throw new Fault(
                    Code.K3101,
                    name + " is " + entry.spec() + ", which is no grid of flattened pieces of " + whole,
                    "mcore_data in .metadata is of another save",
                    "copy .metadata again, or open the model without its optimizer");
        }
        return Optional.of(new FlattenedGrid(whole, Shape.of(piece)));
    }

    /// The boxes that the chunk `run` fills, in the order of its elements.
    ///
    /// **Errors.** [Fault] `K3101` for a chunk of several cells.
    List<Region> boxes(Region run) {
        int ndim = piece.ndim();
        long[] corner = new long[ndim];
        for (int dim = 0; dim < ndim; dim++) {
            if (run.shape().dim(dim) != 1) {
                throw new Fault(
                        Code.K3101,
                        "a chunk " + run + " of several flattened pieces",
                        "the distributed optimizer saves runs of one piece each",
                        "open the model without its optimizer");
            }
            corner[dim] = run.offset().dim(dim) * piece.dim(dim);
        }
        List<Region> boxes = new ArrayList<>();
        for (Region box :
                FlatBoxes.of(piece, run.offset().dim(ndim), run.shape().dim(ndim))) {
            long[] offset = box.offset().toArray();
            Arrays.setAll(offset, dim -> offset[dim] + corner[dim]);
            boxes.add(new Region(Shape.of(offset), box.shape()));
        }
        return boxes;
    }
}
