package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.StridedTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/// The one matrix in which a legacy `GroupedMLP` keeps a projection of all experts of a rank.
///
/// **Shape.** `weight1` says `[hidden, experts * n]` and `weight2` `[experts * n, hidden]`, but neither is laid out so:
/// the elements are `[experts, hidden, n]` and `[experts, n, hidden]`, each expert's matrix transposed.
///
/// **Source.** `megatron/core/transformer/moe/experts.py`, `GroupedMLP.forward`.
final class GroupedExperts {
    private GroupedExperts() {}

    /// Each expert's matrix as its linear layer would hold it, named by `each`, which has a hole `{expert}`. A scalar
    /// that belongs to all of them is given to each.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K3101` if `tensor` does not hold so many.
    static SequencedMap<String, StridedTensor> split(String name, String each, StridedTensor tensor, long experts) {
        Shape shape = tensor.spec().shape();
        boolean hiddenFirst = each.contains(".linear_fc1.");
        long hidden = shape.ndim() == 2 ? shape.dim(hiddenFirst ? 0 : 1) : 1;
        long perExpert = experts == 0 ? 0 : tensor.spec().elementCount() / experts;
        if (shape.ndim() > 0
                && (shape.ndim() != 2
                        || !tensor.isDense()
                        || perExpert == 0
                        || perExpert % hidden != 0
                        || perExpert * experts != tensor.spec().elementCount())) {
            throw LegacyGrid.damaged(name + " is " + tensor.spec() + ", which is not that of " + experts + " experts");
        }
        SequencedMap<String, StridedTensor> matrices = new LinkedHashMap<>();
        for (long expert = 0; expert < experts; expert++) {
            matrices.put(
                    NamePattern.fill(each, Map.of("expert", Long.toString(expert))),
                    shape.ndim() == 0
                            ? tensor
                            : matrix(tensor, expert * perExpert, hiddenFirst ? hidden : perExpert / hidden, perExpert));
        }
        return matrices;
    }

    /// The transpose of the `perExpert / rows` columns and `rows` rows from element `first` on.
    private static StridedTensor matrix(StridedTensor tensor, long first, long rows, long perExpert) {
        long columns = perExpert / rows;
        return tensor.view(first, Shape.of(columns, rows), Shape.of(1, columns));
    }
}
