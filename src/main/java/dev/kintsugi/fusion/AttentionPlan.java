package dev.kintsugi.fusion;

import dev.kintsugi.fusion.AttentionUnits.Coupling;
import dev.kintsugi.fusion.AttentionUnits.Member;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/// What the tensors of an attention fusion share: couplings, their inner products, the scale of each expert's
/// changes.
///
/// With scope `model` the first element read makes one sweep over all tensors of the fusion; everything but
/// that sweep is cheap. **Memory.** `N(N+1)/2` doubles for each group of the model.
final class AttentionPlan {
    private final List<Task> tasks;
    private final Map<String, Shared> byTensor = new HashMap<>();
    private final List<Shared> couplings;
    private final Once<Double> unit = new Once<>(this::measureUnit);
    private final Once<double[]> modelScales = new Once<>(this::measureModel);

    /// A coupling with its inner products, measured once.
    final class Shared {
        private final Coupling coupling;
        private final Once<Gram> gram;

        Shared(Coupling coupling) {
            this.coupling = coupling;
            this.gram = new Once<>(this::measure);
        }

        Coupling coupling() {
            return coupling;
        }

        Gram gram() {
            return gram.get();
        }

        private Gram measure() {
            Task first = coupling.members().getFirst().task();
            Gram sums = new Gram(first.sources().models(), coupling.groupCount());
            for (Member member : coupling.members()) {
                visitChanges(
                        member.task(),
                        unit.get(),
                        block -> sums.add(member.grouping(), block.first(), block.count(), block.inputs()));
            }
            return sums;
        }
    }

    private AttentionPlan(List<Task> tasks) {
        this.tasks = tasks;
        this.couplings =
                new AttentionUnits(tasks).couplings().stream().map(Shared::new).toList();
        for (Shared shared : couplings) {
            for (Member member : shared.coupling().members()) {
                byTensor.put(member.task().name(), shared);
            }
        }
    }

    static Function<Task, Kernel> open(List<Task> tasks) {
        AttentionPlan plan = new AttentionPlan(tasks);
        return task -> new AttentionKernel(plan, task);
    }

    Shared shared(Task task) {
        return Objects.requireNonNull(byTensor.get(task.name()));
    }

    Grouping grouping(Task task) {
        return shared(task).coupling().members().stream()
                .filter(m -> m.task().name().equals(task.name()))
                .findFirst()
                .orElseThrow()
                .grouping();
    }

    /// By what each expert's changes are divided, in units of [#unit()].
    double[] scales(Task task) {
        double[] scales = new double[task.sources().models()];
        switch (task.parameters().word("scope")) {
            case "model" -> scales = modelScales.get().clone();
            case "tensors" -> scales = rms(List.of(shared(task)), scales.length);
            default -> Arrays.fill(scales, unit.get());
        }
        for (int i = 0; i < scales.length; i++) {
            var given = task.parameters().numberIfGiven(i, "key_scale");
            if (given.isPresent()) {
                scales[i] = given.getAsDouble() * unit.get();
            }
        }
        return scales;
    }

    /// A power of two by which changes are multiplied, so that squares of `F64` numbers stay in range; else 1.
    double unit() {
        return unit.get();
    }

    private double[] measureModel() {
        Parallel.map(Job.quiet(), couplings, Shared::gram);
        return rms(couplings, tasks.getFirst().sources().models());
    }

    private static double[] rms(List<Shared> couplings, int models) {
        double[] squares = new double[models];
        long elements = 0;
        for (Shared shared : couplings) {
            Gram gram = shared.gram();
            for (int group = 0; group < gram.groups(); group++) {
                for (int i = 0; i < models; i++) {
                    squares[i] += gram.product(group, i, i);
                }
            }
            for (Member member : shared.coupling().members()) {
                elements += member.task().elementCount();
            }
        }
        double count = elements;
        return Arrays.stream(squares).map(s -> Math.sqrt(s / count)).toArray();
    }

    private double measureUnit() {
        double[] greatest = new double[1];
        for (Task task : tasks) {
            if (task.sources().inputs().stream().anyMatch(AttentionPlan::isDouble)
                    || task.sources().base().filter(AttentionPlan::isDouble).isPresent()) {
                visitChanges(task, 1, block -> {
                    for (double[] d : block.inputs()) {
                        for (int j = 0; j < block.count(); j++) {
                            greatest[0] = Math.max(greatest[0], Math.abs(d[j]));
                        }
                    }
                });
            }
        }
        boolean usable = greatest[0] >= Double.MIN_NORMAL && Double.isFinite(greatest[0]);
        return usable ? Math.scalb(1.0, -Math.clamp(Math.getExponent(greatest[0]), -1000, 1000)) : 1;
    }

    private static boolean isDouble(Tensor tensor) {
        return tensor.spec().dtype() == DType.F64;
    }

    private static void visitChanges(Task task, double factor, Consumer<Block> visitor) {
        double[] weights = AttentionKernel.weights(task);
        double[] origin = new double[Sources.BLOCK_ELEMENTS];
        task.sources().sweep(1, block -> {
            AttentionKernel.origin(block, weights, origin);
            for (double[] x : block.inputs()) {
                for (int j = 0; j < block.count(); j++) {
                    x[j] = (x[j] - origin[j]) * factor;
                }
            }
            visitor.accept(block);
        });
    }
}
