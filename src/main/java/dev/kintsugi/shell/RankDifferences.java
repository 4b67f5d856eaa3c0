package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.diff.Diff;
import dev.kintsugi.diff.DiffReport;
import dev.kintsugi.diff.TensorDifference;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Which ranks hold the elements that differ: every tensor that differs is compared again, piece by piece.
final class RankDifferences {
    /// What the pieces of one rank come to.
    ///
    /// @param pieces of tensors that differ
    /// @param differing those of them that do themselves, with `elements` that differ in all
    /// @param first the first tensor of those
    record OfRank(int rank, long pieces, long differing, long elements, double maxAbs, Optional<String> first) {
        OfRank plus(TensorDifference piece, String tensor) {
            return new OfRank(
                    rank,
                    pieces + 1,
                    differing + (piece.sameValues() ? 0 : 1),
                    elements + piece.differing(),
                    Math.max(maxAbs, piece.maxAbs()),
                    first.isPresent() || piece.sameValues() ? first : Optional.of(tensor));
        }
    }

    private record Part(int rank, String tensor) {}

    private RankDifferences() {}

    /// By rank, for the tensors of `report` that differ and lie over ranks as `layouts` says.
    static Map<Integer, OfRank> of(DiffReport report, StateDict a, StateDict b, Map<String, Layout> layouts, Job job) {
        Map<String, Part> parts = new LinkedHashMap<>();
        Map<String, Tensor> mine = new LinkedHashMap<>();
        Map<String, Tensor> theirs = new LinkedHashMap<>();
        for (TensorDifference difference : report.differing()) {
            Layout layout = layouts.get(difference.name());
            if (layout == null || !layout.spec().shape().equals(difference.a().shape())) {
                continue;
            }
            for (Piece piece : layout.pieces()) {
                if (piece.replica() || piece.rank() < 0 || piece.global().isEmpty()) {
                    continue;
                }
                String key = difference.name() + " " + parts.size();
                parts.put(key, new Part(piece.rank(), difference.name()));
                mine.put(key, new RegionTensor(a.tensor(difference.name()), piece.global()));
                theirs.put(key, new RegionTensor(b.tensor(difference.name()), piece.global()));
            }
        }
        DiffReport pieces =
                Diff.compare(StateDict.of(mine), StateDict.of(theirs), name -> true, report.tolerances(), job);
        Map<Integer, OfRank> ranks = new TreeMap<>();
        pieces.tensors().forEach(piece -> {
            Part part = parts.get(piece.name());
            if (part != null) {
                OfRank before = ranks.getOrDefault(part.rank(), new OfRank(part.rank(), 0, 0, 0, 0, Optional.empty()));
                ranks.put(part.rank(), before.plus(piece, part.tensor()));
            }
        });
        return ranks;
    }
}
