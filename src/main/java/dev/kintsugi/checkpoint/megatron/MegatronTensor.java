package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.sharding.Chunk;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.nio.file.Path;
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
    record Part(Region region, Tensor local, int rank, Path file, String record, long byteOffset, boolean replica) {
        Part {
            if (!local.spec().shape().equals(region.shape())) {
                throw new IllegalArgumentException(local.spec() + " does not fill " + region);
            }
        }

        Piece piece() {
            return new Piece(rank, file, record, byteOffset, region, 0, replica);
        }

        /// The part of this piece in rows `[first, first + count)`, which begin at row `at` of another tensor.
        Optional<Piece> piece(long first, long count, long at, boolean rest) {
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
            return Optional.of(new Piece(
                    rank,
                    file,
                    record,
                    byteOffset + skipped * local.spec().dtype().byteWidth(),
                    global,
                    trimmed,
                    replica));
        }
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
