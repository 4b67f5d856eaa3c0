package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/// A part of a tensor as one file holds it.
///
/// **Units.** `global` in elements of the whole tensor; `byteOffset` in bytes from the start of `file`, of
/// the first element of this piece. `rank` is `-1` for a file of no rank. `record` names the entry within the
/// file, such as `data/17`. `trimmedElements` lie behind the piece on disk and are padding. `replica` is true
/// for a copy that the whole tensor is not read from. `cut` is there where the
/// framework's tensors are named and cut in other ways than the model's.
public record Piece(
        int rank,
        Path file,
        String record,
        long byteOffset,
        Region global,
        long trimmedElements,
        boolean replica,
        Optional<Cut> cut) {
    /// What a piece is of the tensor in its file.
    ///
    /// @param storedName the name of that tensor
    /// @param part which of several parts of one kind it is
    /// @param elements the piece itself, in the shape of its region
    public record Cut(String storedName, Optional<Part> part, Tensor elements) {}

    /// One of `count` parts of a tensor, such as a query group; counted from 0.
    public record Part(String kind, int number, int count) {
        /// `query group 1 of 4`, `query groups 0-3 of 4`; nothing of none.
        public static String text(Collection<Part> parts) {
            List<Integer> numbers = parts.stream().map(Part::number).distinct().toList();
            return parts.stream()
                    .findFirst()
                    .map(p -> p.kind() + (numbers.size() == 1 ? " " : "s ") + Ranks.text(numbers) + " of " + p.count())
                    .orElse("");
        }
    }

    /// A piece of which there is no more to say.
    public Piece(
            int rank, Path file, String record, long byteOffset, Region global, long trimmedElements, boolean replica) {
        this(rank, file, record, byteOffset, global, trimmedElements, replica, Optional.empty());
    }
}
