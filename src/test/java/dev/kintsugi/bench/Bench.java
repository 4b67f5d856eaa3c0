package dev.kintsugi.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Entry of `scripts/bench`: makes the data, runs the rows, prints a table, and compares ratios with the bars.
///
/// Each run of a row alternates with its references, so that what else the machine does meets all of them.
public final class Bench {
    private static final List<String> GROUPS =
            List.of("start", "merge", "stats", "diff", "verify", "fuse", "complete", "scale");

    private final Report report = new Report();
    private final Rows rows;
    private final int gigabytes;

    private Bench(Rows rows, int gigabytes) {
        this.rows = rows;
        this.gigabytes = gigabytes;
    }

    /// **Arguments.** Groups of rows, `--gb N`, `--runs N`, `--cold`, `--check`; the launcher puts `--home
    /// DIR` before them.
    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> groups = new ArrayList<>();
        Path home = Path.of("");
        int gigabytes = 1;
        int runs = 5;
        boolean cold = false;
        boolean check = false;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--home" -> home = Path.of(arguments[++i]);
                case "--gb" -> gigabytes = Integer.parseInt(arguments[++i]);
                case "--runs" -> runs = Integer.parseInt(arguments[++i]);
                case "--cold" -> cold = true;
                case "--check" -> check = true;
                case "all" -> groups.addAll(GROUPS);
                default -> {
                    if (!GROUPS.contains(arguments[i])) {
                        System.err.println("usage: scripts/bench [all|" + String.join("|", GROUPS)
                                + "]... [--gb N] [--runs N] [--cold] [--check]");
                        System.exit(2);
                    }
                    groups.add(arguments[i]);
                }
            }
        }
        Bench bench = new Bench(new Rows(home, runs, cold), gigabytes);
        for (String group : groups.isEmpty() ? GROUPS : groups) {
            bench.run(group);
        }
        bench.report.print(System.out);
        if (check) {
            List<String> fallen = bench.report.fallen(home.resolve("docs/performance-bars.txt"));
            fallen.forEach(System.out::println);
            System.out.println(fallen.isEmpty() ? "every row keeps its bar" : "fell: " + fallen.size());
            System.exit(fallen.isEmpty() ? 0 : 1);
        }
    }

    private int layers() {
        return 24 * gigabytes + (gigabytes - 1) * 9;
    }

    private void run(String group) throws IOException, InterruptedException {
        System.err.println("bench: " + group);
        switch (group) {
            case "start" -> start();
            case "merge" -> {
                for (SampleModels.Sharding sharding : SampleModels.Sharding.values()) {
                    merge(sharding);
                }
            }
            case "stats" -> compute("stats", List.of(model("a")));
            case "diff" -> compute("diff", List.of(model("a"), model("b")));
            case "verify" -> compute("verify", List.of(checkpoint(SampleModels.Sharding.SHARD0)));
            case "fuse" -> {
                fuse("linear", List.of("a", "b", "c"));
                fuse("slerp:t=0.5", List.of("a", "b"));
                fuse("ties:density=0.5", List.of("a", "b", "c"));
                fuse("attention", List.of("a", "b", "c"));
                fuse("della:density=0.5", List.of("a", "b", "c"));
            }
            case "complete" -> report.add(rows.completion());
            case "scale" -> {
                for (int ranks : List.of(64, 256, 1024)) {
                    report.add(rows.scale(ranks, 0));
                }
                report.add(rows.scale(256, 1));
                report.compareScale();
            }
            default -> throw new IllegalArgumentException(group);
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

    private void start() throws IOException, InterruptedException {
        report.add(rows.start("start version", List.of("--version")));
        report.add(rows.start("start one-shot", List.of("-c", "open docs/sample/actor; tensors")));
        Optional<Row> prompt = rows.prompt();
        prompt.ifPresent(report::add);
    }

    private void merge(SampleModels.Sharding sharding) throws IOException, InterruptedException {
        Path source = checkpoint(sharding);
        String name = "merge " + sharding.name().toLowerCase(java.util.Locale.ROOT) + " " + gigabytes + " GB";
        Path out = rows.data().resolve("out");
        List<String> command =
                List.of(rows.launcher(), "merge", "--local_dir", source.toString(), "--target_dir", out.toString());
        report.add(rows.writing(name, command, Map.of("KINTSUGI_OPTS", "-Xmx256m"), "256m", List.of(source), out));
    }

    private void fuse(String method, List<String> models) throws IOException, InterruptedException {
        List<Path> paths = new ArrayList<>();
        for (String model : models) {
            paths.add(model(model));
        }
        Path out = rows.data().resolve("out");
        List<String> command = new ArrayList<>(rows.work("-Xmx512m"));
        command.addAll(List.of("fuse", method, out.toString()));
        paths.forEach(p -> command.add(p.toString()));
        String name = "fuse " + method.split(":", -1)[0] + " " + models.size() + " × " + gigabytes + " GB";
        report.add(rows.fusing(name, command, "512m", paths, out));
    }

    private void compute(String verb, List<Path> paths) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(rows.work("-Xmx256m"));
        command.add(verb);
        paths.forEach(p -> command.add(p.toString()));
        report.add(rows.reading(verb + " " + paths.size() + " × " + gigabytes + " GB", command, "256m", paths));
    }
}
