package dev.kintsugi.fusion;

import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A fused tensor beside those it is made of: how long each is, and how close to the result.
///
/// Made in one sweep over the parents and the result. **Units.** Norms are Euclidean over the whole tensor.
///
/// @param lines the parents in order, the base after the models, the result last
public record Preview(List<Line> lines) {
    /// One tensor. `cosine` is its angle to the result, `distance` its Euclidean distance from it; both are
    /// NaN where a length is 0 or not finite.
    public record Line(String name, Tensor tensor, double norm, double cosine, double distance, List<Double> first) {
        public Line {
            first = List.copyOf(first);
        }
    }

    public Preview {
        lines = List.copyOf(lines);
    }

    /// Looks at all of `result`, which is called `name`, and shows its first `shown` elements.
    public static Preview of(String name, FusedTensor result, int shown) {
        List<Tensor> tensors = new ArrayList<>(result.parents());
        tensors.add(result);
        List<String> names = new ArrayList<>(result.parentNames());
        names.add(name);
        Gram gram = new Gram(tensors.size(), 1);
        List<List<Double>> first = new ArrayList<>();
        tensors.forEach(t -> first.add(new ArrayList<>()));
        Grouping whole = Grouping.whole(result.spec().shape());
        new Sources(tensors, Optional.empty()).sweep(1, block -> {
            gram.add(whole, block.first(), block.count(), block.inputs());
            for (int i = 0; i < tensors.size(); i++) {
                for (int j = 0; j < block.count() && first.get(i).size() < shown; j++) {
                    first.get(i).add(block.input(i)[j]);
                }
            }
        });
        List<Line> lines = new ArrayList<>();
        int last = tensors.size() - 1;
        for (int i = 0; i <= last; i++) {
            double squares = gram.product(0, i, i) - 2 * gram.product(0, i, last) + gram.product(0, last, last);
            lines.add(new Line(
                    names.get(i),
                    tensors.get(i),
                    gram.norm(0, i),
                    Math.clamp(gram.product(0, i, last) / (gram.norm(0, i) * gram.norm(0, last)), -1, 1),
                    Math.sqrt(Math.max(0, squares)),
                    first.get(i)));
        }
        return new Preview(lines);
    }
}
