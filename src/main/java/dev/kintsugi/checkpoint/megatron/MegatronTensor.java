package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.sharding.Chunk;
import dev.kintsugi.sharding.FlatSlice;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A whole tensor of one layer under Megatron-Core's name for it, with global layer and expert numbers.
///
/// **Shape.** As Megatron-Core sees it with one rank: no layer or expert axis, query groups interleaved, gate
/// before up.
///
/// @param name with global numbers
/// @param storedName the name in the files
/// @param parts what tiles it, and copies
/// @param meshDims what is known of the ranks beside tensor parallelism, such as `pp=2`
/// @param placements what they mean for this tensor, such as `Stage(1)`
record MegatronTensor(
        String name,
        String storedName,
        TensorSpec spec,
        List<Part> parts,
        List<String> meshDims,
        List<String> placements) {
    MegatronTensor {
        parts = List.copyOf(parts);
        meshDims = List.copyOf(meshDims);
        placements = List.copyOf(placements);
    }

    /// A piece as a file holds it.
    ///
    /// **Shape.** `local` has the shape of `region`. **Units.** `byteOffset` in bytes from the start of `file`.
    ///
    /// @param storedName what the file calls the tensor it is a piece of
    record Part(
            Region region,
            Tensor local,
            int rank,
            Path file,
            String record,
            long byteOffset,
            boolean replica,
            String storedName) {
        Part {
            if (!local.spec().shape().equals(region.shape())) {
                throw new IllegalArgumentException(local.spec() + " does not fill " + region);
            }
        }

        Piece piece() {
            return piece(region, local, 0, 0, Optional.empty());
        }

        private Piece piece(Region global, Tensor elements, long skipped, long trimmed, Optional<Piece.Part> part) {
            return new Piece(
                    rank,
                    file,
                    record,
                    byteOffset + skipped * local.spec().dtype().byteWidth(),
                    global,
                    trimmed,
                    replica,
                    Optional.of(new Piece.Cut(storedName, part, elements)));
        }

        Part asReplica() {
            return new Part(region, local, rank, file, record, byteOffset, true, storedName);
        }

        /// The part of this piece in rows `[first, first + count)`, which begin at row `at` of another tensor.
        ///
        /// @param rest whether what is left of the piece is padding
        /// @param part what of the stored tensor they are
        Optional<Piece> piece(long first, long count, long at, boolean rest, Optional<Piece.Part> part) {
            long from = Math.max(first, region.offset().dim(0));
            long to = Math.min(first + count, region.end(0));
            if (to <= from) {
                return Optional.empty();
            }
            Shape shape = region.shape();
            long rowElements = shape.elementCountFrom(1);
            long skipped = (from - region.offset().dim(0)) * rowElements;
            Region global = new Region(region.offset().with(0, at + from - first), shape.with(0, to - from));
            long trimmed = rest ? (region.end(0) - to) * rowElements : 0;
            Tensor elements = FlatSlice.of(local, skipped, global.shape());
            return Optional.of(piece(global, elements, skipped, trimmed, part));
        }
    }

    /// The same, of which more is known: that it lies on rank `placement` of the mesh dim `meshDim`.
    MegatronTensor on(String meshDim, String placement) {
        List<String> dims = new ArrayList<>(meshDims);
        dims.add(meshDim);
        List<String> places = new ArrayList<>(placements);
        places.add(placement);
        return new MegatronTensor(name, storedName, spec, parts, dims, places);
    }

    /// The whole. **Errors.** [Fault] `K3005` if the parts do not tile it, `K3003` if they are of several
    /// dtypes.
    Tensor whole() {
        try {
            return AssembledTensor.of(
                    spec,
                    parts.stream()
                            .filter(p -> !p.replica())
                            .map(p -> new Chunk(p.region(), p.local()))
                            .toList());
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }

    /// Along how many ranks it is split, where each holds `perRank` parts.
    long ways(int perRank) {
        return Math.max(1, parts.stream().filter(p -> !p.replica()).count() / perRank);
    }
}
