package dev.kintsugi.diff;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.Span;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// Compares two models by name, shape, dtype and value.
public final class Diff {
    private static final Comparator<TensorDifference> ORDER = Comparator.comparing(
                    (TensorDifference t) -> t.nanMismatches() + t.infinityMismatches() == 0)
            .thenComparing(TensorDifference::close)
            .thenComparing(TensorDifference::sameValues)
            .thenComparing(
                    Comparator.comparingDouble(TensorDifference::relativeNorm).reversed());

    private Diff() {}

    private record Pair(String name, Tensor a, Tensor b) {}

    private record Item(int pair, Span span) {}

    /// Compares the tensors of `a` and `b` whose names `selection` accepts; reads every pair once.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] if a file cannot be read, or `job` was cancelled; a difference
    /// is none.
    public static DiffReport compare(
            StateDict a, StateDict b, Predicate<String> selection, Tolerances tolerances, Job job) {
        StateDict one = a.filter(selection);
        StateDict other = b.filter(selection);
        List<SpecDifference> shapes = new ArrayList<>();
        List<SpecDifference> dtypes = new ArrayList<>();
        List<Pair> pairs = new ArrayList<>();
        for (Map.Entry<String, Tensor> entry : one.tensors().entrySet()) {
            String name = entry.getKey();
            Tensor tensor = entry.getValue();
            other.find(name).ifPresent(counterpart -> {
                SpecDifference difference = new SpecDifference(name, tensor.spec(), counterpart.spec());
                if (!comparable(tensor.spec(), counterpart.spec())) {
                    shapes.add(difference);
                    return;
                }
                if (tensor.spec().dtype() != counterpart.spec().dtype()) {
                    dtypes.add(difference);
                }
                pairs.add(new Pair(name, tensor, counterpart));
            });
        }
        List<TensorDifference> values = new ArrayList<>(values(pairs, tolerances, job));
        values.sort(ORDER);
        return new DiffReport(
                one.names().stream().filter(n -> !other.has(n)).toList(),
                other.names().stream().filter(n -> !one.has(n)).toList(),
                shapes,
                dtypes,
                values,
                tolerances);
    }

    private static List<TensorDifference> values(List<Pair> pairs, Tolerances tolerances, Job job) {
        List<Item> items = new ArrayList<>();
        for (int i = 0; i < pairs.size(); i++) {
            TensorSpec a = pairs.get(i).a().spec();
            TensorSpec b = pairs.get(i).b().spec();
            job.expect(Math.addExact(a.byteCount(), b.byteCount()));
            for (Span span : Span.partition(wider(a, b))) {
                items.add(new Item(i, span));
            }
        }
        BlockReader.Pool<PairReader> pool = new BlockReader.Pool<>(PairReader::new);
        List<Differences> parts = Parallel.map(
                job,
                items,
                item -> pool.with(reader -> {
                    Pair pair = pairs.get(item.pair);
                    return reader.compare(pair.a, pair.b, item.span, tolerances, job);
                }));
        List<TensorDifference> results = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < pairs.size(); i++) {
            Pair pair = pairs.get(i);
            Differences total = new Differences();
            while (next < items.size() && items.get(next).pair() == i) {
                total.merge(parts.get(next++));
            }
            results.add(total.toTensorDifference(pair.name, pair.a.spec(), pair.b.spec()));
        }
        return results;
    }

    private static boolean comparable(TensorSpec a, TensorSpec b) {
        return a.shape().equals(b.shape()) && (a.dtype() == DType.C64) == (b.dtype() == DType.C64);
    }

    private static TensorSpec wider(TensorSpec a, TensorSpec b) {
        return a.dtype().byteWidth() >= b.dtype().byteWidth() ? a : b;
    }
}
