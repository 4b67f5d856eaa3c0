package dev.kintsugi.bench;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.export.ExportOptions;
import dev.kintsugi.export.ExportPlan;
import dev.kintsugi.work.Job;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// One job in a process of its own, so that start-up, compiling and memory are counted as a user meets them.
public final class Work {
    private Work() {}

    /// **Arguments.** `noop`; `open DIR`.
    public static void main(String[] arguments) {
        List<Path> paths = Arrays.stream(arguments).skip(1).map(Path::of).toList();
        switch (arguments[0]) {
            case "noop" -> {}
            case "open" -> openAndPlan(paths.getFirst());
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet());
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
}
