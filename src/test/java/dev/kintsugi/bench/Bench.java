package dev.kintsugi.bench;

import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Entry of `scripts/bench`: makes the data, runs the rows, prints a table, and compares ratios with the bars.
///
/// Each run of a row alternates with its references, so that what else the machine does meets all of them.
public final class Bench {
    private static final Map<String, String> OPTIONS =
            Map.of("slerp", " --t 0.5", "ties", " --density 0.5", "della", " --density 0.5");

    /// Rows that take minutes and GBs, or have no bar, are measured only where they are named.
    private static final List<String> USUAL =
            List.of("start", "merge", "stats", "diff", "verify", "fuse", "complete", "scale");

    private static final List<String> GROUPS =
            List.of("start", "merge", "stats", "diff", "verify", "fuse", "complete", "scale", "memory", "kernels");

    /// Checkpoints larger than this are made for one row and removed, so that disks of usual size do.
    private static final int KEPT_GIGABYTES = 2;

    private final Report report = new Report();
    private final Rows rows;
    private final int gigabytes;
    private final String python;

    private Bench(Rows rows, int gigabytes, String python) {
        this.rows = rows;
        this.gigabytes = gigabytes;
        this.python = python;
    }

    /// **Arguments.** Groups of rows, `--gb N`, `--runs N`, `--cold`, `--check`,
    /// `--python PROGRAM`, `--plot FILE`; the launcher puts `--home
    /// DIR` before them.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> groups = new ArrayList<>();
        Path home = Path.of("");
        int gigabytes = 1;
        int runs = 5;
        boolean cold = false;
        String python = "python3";
        Optional<Path> plot = Optional.empty();
        boolean check = false;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--home" -> home = Path.of(arguments[++i]);
                case "--gb" -> gigabytes = Integer.parseInt(arguments[++i]);
                case "--runs" -> runs = Integer.parseInt(arguments[++i]);
                case "--cold" -> cold = true;
                case "--check" -> check = true;
                case "--python" -> python = arguments[++i];
                case "--plot" -> plot = Optional.of(Path.of(arguments[++i]));
                case "all" -> groups.addAll(GROUPS);
                default -> {
                    if (!GROUPS.contains(arguments[i])) {
                        System.err.println("usage: scripts/bench [all|" + String.join("|", GROUPS)
                                + "]... [--gb N] [--runs N] [--cold] [--check] [--python PROGRAM] [--plot FILE]");
                        System.exit(2);
                    }
                    groups.add(arguments[i]);
                }
            }
        }
        Bench bench = new Bench(new Rows(home, runs, cold), gigabytes, python);
        for (String group : groups.isEmpty() ? USUAL : groups) {
            bench.run(group);
        }
        bench.report.print(System.out);
        if (plot.isPresent()) {
            Files.writeString(plot.get(), Plot.of(bench.report.rows()));
        }
        if (check) {
            List<String> fallen = bench.report.fallen(home.resolve("docs/performance-bars.txt"));
            fallen.forEach(System.out::println);
            System.out.println(fallen.isEmpty() ? "every row keeps its bar" : "fell: " + fallen.size());
            System.exit(fallen.isEmpty() ? 0 : 1);
        }
    }

    private int layers() {
        return layers(gigabytes);
    }

    private static int layers(int gigabytes) {
        return 24 * gigabytes + (gigabytes - 1) * 9;
    }

    private void run(String group) throws IOException, InterruptedException {
        System.err.println("bench: " + group);
        switch (group) {
            case "start" -> start();
            case "merge" -> {
                for (SampleModels.Sharding sharding : SampleModels.Sharding.values()) {
                    Path path = checkpoint(sharding);
                    merge(sharding.name().toLowerCase(java.util.Locale.ROOT), path);
                    discard(path);
                }
                Path path = megatron();
                merge("megatron", path);
                discard(path);
            }
            case "stats" -> compute("stats", List.of(model("a")), NUMPY_STATS);
            case "diff" -> compute("diff", List.of(model("a"), model("b")), NUMPY_DIFF);
            case "verify" -> compute("verify", List.of(checkpoint(SampleModels.Sharding.SHARD0)), "");
            case "fuse" -> {
                fuse("linear", List.of("a", "b", "c"));
                fuse("slerp", List.of("a", "b"));
                fuse("ties", List.of("a", "b", "c"));
                fuse("attention", List.of("a", "b", "c"));
                fuse("della", List.of("a", "b", "c"));
            }
            case "complete" -> report.add(rows.completion());
            case "scale" -> {
                for (int ranks : List.of(64, 256, 1024)) {
                    report.add(rows.scale(ranks, 0));
                }
                report.add(rows.scale(256, 1));
                report.compareScale();
            }
            case "memory" -> {
                for (int size : List.of(1, 8, 32)) {
                    memory(size);
                }
            }
            case "kernels" -> Kernels.run().forEach(report::add);
            default -> throw new IllegalArgumentException(group);
        }
    }

    /// Removes the data of a row where six of them would fill a disk.
    private void discard(Path path) throws IOException {
        if (gigabytes > 1) {
            Files.deleteIfExists(SampleModels.complete(path));
            Rows.delete(path);
        }
    }

    private Path checkpoint(SampleModels.Sharding sharding) throws IOException {
        Path path = rows.data().resolve(sharding.name().toLowerCase(java.util.Locale.ROOT) + "-" + gigabytes);
        SampleModels.fsdp(path, layers(), sharding);
        return path;
    }

    private Path model(String name) throws IOException {
        Path path = rows.data().resolve(name + "-" + gigabytes);
        SampleModels.huggingFace(path, layers(), name.charAt(0));
        return path;
    }

    /// A model of `size` GB of zeros that take no disk, looked at and written, within a heap of 64 MiB.
    private void memory(int size) throws IOException, InterruptedException {
        Path source = rows.data().resolve("sparse-" + size);
        SampleModels.sparse(source, layers(size));
        Path out = rows.data().resolve("out");
        report.add(rows.once("memory stats " + size + " GB", List.of("stats", source.toString()), "64m", out));
        report.add(rows.once(
                "memory merge " + size + " GB",
                List.of("merge", "--local_dir", source.toString(), "--target_dir", out.toString()),
                "64m",
                out));
    }

    private void start() throws IOException, InterruptedException {
        Row version = rows.start("start version", List.of("--version"));
        report.add(version);
        rows.other(
                        "python -c 'import torch', beside start version",
                        List.of(python, "-c", "import torch"),
                        List.of(),
                        version.seconds())
                .ifPresent(report::add);
        report.add(rows.start("start one-shot", List.of("-c", "open docs/sample/actor; tensors")));
        Optional<Row> prompt = rows.prompt();
        prompt.ifPresent(report::add);
    }

    /// Four tensor-parallel ranks and two stages.
    private Path megatron() throws IOException {
        Path path = rows.data().resolve("megatron-" + gigabytes);
        MegatronWriter.write(path, layers());
        return path;
    }

    private void merge(String layout, Path source) throws IOException, InterruptedException {
        String name = "merge " + layout + " " + gigabytes + " GB";
        Path out = rows.data().resolve("out");
        List<String> command =
                List.of(rows.launcher(), "merge", "--local_dir", source.toString(), "--target_dir", out.toString());
        report.add(rows.writing(name, command, "256m", List.of(source), out));
        if (gigabytes > KEPT_GIGABYTES) {
            Rows.delete(source);
            Files.delete(SampleModels.complete(source));
        }
    }

    private void fuse(String method, List<String> models) throws IOException, InterruptedException {
        List<Path> paths = new ArrayList<>();
        for (String model : models) {
            paths.add(model(model));
        }
        Path out = rows.data().resolve("out");
        Path recipe = rows.data().resolve("fuse.rsh");
        Files.writeString(recipe, recipe(method, models, paths, out));
        String name = "fuse " + method + " " + models.size() + " × " + gigabytes + " GB";
        report.add(rows.fusing(name, List.of(rows.launcher(), "run", recipe.toString()), "512m", paths, out));
    }

    /// The last of `models` is the base where `method` needs one.
    private static String recipe(String method, List<String> models, List<Path> paths, Path out) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < models.size(); i++) {
            lines.append("open '" + paths.get(i) + "' --as " + models.get(i) + "\n");
        }
        boolean based = Methods.named(method).base() == Method.Base.REQUIRED;
        List<String> inputs = based ? models.subList(0, models.size() - 1) : models;
        lines.append("fuse " + method + " " + String.join(" ", inputs))
                .append(based ? " --base " + models.getLast() : "")
                .append(" --as fused")
                .append(OPTIONS.getOrDefault(method, ""))
                .append("\nexport fused '" + out + "'\n");
        return lines.toString();
    }

    /// The figures of `stats`, of BF16, by numpy over the mapped file.
    private static final String NUMPY_STATS = """
        import sys, numpy as np
        for path in sys.argv[1:]:
            raw = np.memmap(path + '/model.safetensors', dtype=np.uint8, mode='r')
            start = 8 + int(raw[:8].view(np.uint64)[0])
            bits = raw[start:len(raw) - (len(raw) - start) % 2].view(np.uint16)
            for at in range(0, len(bits), 1 << 22):
                x = (bits[at:at + (1 << 22)].astype(np.uint32) << 16).view(np.float32)
                d = x.astype(np.float64)
                (x.min(), x.max(), d.sum(), (d * d).sum(), np.abs(x).max(), (x == 0).sum(), np.isnan(x).sum(), np.isinf(x).sum())
        """;

    /// The figures of `diff`, of BF16, by numpy over the mapped files.
    private static final String NUMPY_DIFF = """
        import sys, numpy as np
        def bits(path):
            raw = np.memmap(path + '/model.safetensors', dtype=np.uint8, mode='r')
            start = 8 + int(raw[:8].view(np.uint64)[0])
            return raw[start:len(raw) - (len(raw) - start) % 2].view(np.uint16)
        a, b = bits(sys.argv[1]), bits(sys.argv[2])
        for at in range(0, len(a), 1 << 22):
            x = (a[at:at + (1 << 22)].astype(np.uint32) << 16).view(np.float32).astype(np.float64)
            y = (b[at:at + (1 << 22)].astype(np.uint32) << 16).view(np.float32).astype(np.float64)
            d = np.abs(x - y)
            (d.max(), (d / np.maximum(np.abs(y), 1e-300)).max(), (d * d).sum(), (x * y).sum(), (x * x).sum(), (y * y).sum(), (d != 0).sum())
        """;

    private void compute(String verb, List<Path> paths, String numpy) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(rows.launcher(), verb));
        paths.forEach(p -> command.add(p.toString()));
        Row ours = rows.reading(verb + " " + paths.size() + " × " + gigabytes + " GB", command, "256m", paths);
        report.add(ours);
        if (!numpy.isEmpty()) {
            List<String> other = new ArrayList<>(List.of(python, "-c", numpy));
            paths.forEach(p -> other.add(p.toString()));
            rows.other("numpy, beside " + ours.name(), other, paths, ours.seconds())
                    .ifPresent(report::add);
        }
    }
}
