package dev.kintsugi.inspect;

import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// Statistics of the tensors of a model, in its order, and of all their elements together.
public record Statistics(List<TensorStats> tensors, ElementStats total) {
    public Statistics {
        tensors = List.copyOf(tensors);
    }

    /// Reads every selected tensor once.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] if a file behind a tensor cannot be read, or `job` was cancelled.
    public static Statistics of(StateDict model, Predicate<String> selection, Job job) {
        StateDict selected = model.filter(selection);
        List<String> names = List.copyOf(selected.names());
        List<Tensor> tensors = List.copyOf(selected.tensors().values());
        List<List<Moments>> parts = Sweep.over(tensors, job, (sweep, index, span) -> {
            Tensor tensor = tensors.get(index);
            Moments moments = new Moments();
            sweep.blocks(tensor, span, job, moments::add);
            return moments;
        });
        List<TensorStats> stats = new ArrayList<>();
        Moments total = new Moments();
        for (int i = 0; i < names.size(); i++) {
            Moments one = new Moments();
            parts.get(i).forEach(one::merge);
            total.merge(one);
            stats.add(new TensorStats(names.get(i), tensors.get(i).spec(), one.toStats()));
        }
        return new Statistics(stats, total.toStats());
    }
}
