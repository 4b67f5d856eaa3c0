package dev.kintsugi.bench;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.diff.Diff;
import dev.kintsugi.diff.Tolerances;
import dev.kintsugi.export.ExportOptions;
import dev.kintsugi.export.ExportPlan;
import dev.kintsugi.export.Exporter;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.inspect.Statistics;
import dev.kintsugi.inspect.Verify;
import dev.kintsugi.work.Job;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One job in a process of its own, so that start-up, compiling and memory are counted as a user meets them.
public final class Work {
    private Work() {}

    /// **Arguments.** `noop`; `stats DIR`; `diff DIR DIR`; `verify DIR`; `open DIR`; `fuse METHOD[:OPTION=N…]
    /// OUT DIR… [BASE]`, the base last where the method needs one.
    public static void main(String[] arguments) {
        List<Path> paths = Arrays.stream(arguments).skip(1).map(Path::of).toList();
        switch (arguments[0]) {
            case "noop" -> {}
            case "stats" -> stats(paths.getFirst());
            case "diff" -> diff(paths.get(0), paths.get(1));
            case "verify" -> {
                if (!Verify.of(paths, Job.quiet()).passed()) {
                    throw new IllegalStateException("damaged: " + paths);
                }
            }
            case "open" -> openAndPlan(paths.getFirst());
            case "fuse" -> fuse(arguments[1], paths.get(1), paths.subList(2, paths.size()));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet());
    }

    private static void stats(Path path) {
        try (Checkpoint model = open(path)) {
            Statistics.of(model.tensors(), name -> true, Job.quiet());
        }
    }

    private static void diff(Path one, Path other) {
        try (Checkpoint a = open(one);
                Checkpoint b = open(other)) {
            Diff.compare(a.tensors(), b.tensors(), name -> true, Tolerances.EXACT, Job.quiet());
        }
    }

    /// Opens `path` and makes a plan; prints seconds and the bytes of heap that are still in use.
    private static void openAndPlan(Path path) {
        long start = System.nanoTime();
        try (Checkpoint model = open(path)) {
            double opened = (System.nanoTime() - start) / 1e9;
            HubModel hub = HubModel.of(
                    model.tensors(),
                    List.of(path),
                    Optional.empty(),
                    HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS));
            ExportPlan plan =
                    ExportPlan.of(hub, Optional.empty(), path.resolveSibling("never"), ExportOptions.defaults());
            double planned = (System.nanoTime() - start) / 1e9 - opened;
            System.gc();
            Runtime runtime = Runtime.getRuntime();
            System.out.printf(
                    "%.3f %.3f %d %d%n",
                    opened, planned, runtime.totalMemory() - runtime.freeMemory(), plan.tensorCount());
        }
    }

    private static void fuse(String text, Path target, List<Path> paths) {
        String[] parts = text.split(":", -1);
        Method method = Methods.named(parts[0]);
        Map<String, Setting> options = new LinkedHashMap<>();
        Arrays.stream(parts)
                .skip(1)
                .map(p -> p.split("=", 2))
                .forEach(p -> options.put(p[0], Setting.of(Double.parseDouble(p[1]))));
        List<Checkpoint> open = new ArrayList<>();
        try {
            paths.forEach(p -> open.add(open(p)));
            List<Input> inputs = new ArrayList<>();
            for (int i = 0; i < open.size(); i++) {
                inputs.add(Input.of("m" + i, open.get(i).tensors()));
            }
            Optional<Input> base =
                    method.base() == Method.Base.NONE ? Optional.empty() : Optional.of(inputs.removeLast());
            Fusion fusion = Fusion.of(method, inputs, base).withOptions(options);
            HubModel hub = HubModel.of(fusion.fuse(), List.of(), Optional.of(paths.getFirst()), HubOptions.defaults());
            ExportPlan plan = ExportPlan.of(hub, Optional.of(paths.getFirst()), target, ExportOptions.defaults());
            Exporter.write(plan, new Exporter.Sources(List.of(), List.of(), () -> {}), Job.quiet());
        } finally {
            open.forEach(Checkpoint::close);
        }
    }
}
