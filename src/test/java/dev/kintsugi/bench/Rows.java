package dev.kintsugi.bench;

import dev.kintsugi.shell.CompletionTrial;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Measures rows: each run of a job alternates with what it is compared with.
final class Rows {
    private static final int SCALE_TENSORS = 1000;

    private final Path home;
    private final int runs;
    private final boolean cold;

    Rows(Path home, int runs, boolean cold) {
        this.home = home.toAbsolutePath().normalize();
        this.runs = runs;
        this.cold = cold;
    }

    Path data() throws IOException {
        return Files.createDirectories(home.resolve("target/bench"));
    }

    String launcher() {
        return home.resolve("scripts/kintsugi").toString();
    }

    /// The command that runs [Work] with the heap limit `limit`.
    List<String> work(String limit) {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                limit,
                "-cp",
                System.getProperty("java.class.path"),
                Work.class.getName());
    }

    private static Trial run(List<String> command) throws IOException, InterruptedException {
        return Trial.of(Map.of(), command);
    }

    /// A start of the program against a JVM that does nothing.
    Row start(String name, List<String> arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(launcher()));
        command.addAll(arguments);
        List<Trial> ours = new ArrayList<>();
        List<Trial> idle = new ArrayList<>();
        run(command);
        for (int i = 0; i < 2 * runs + 1; i++) {
            ours.add(run(command));
            idle.add(run(idle()));
        }
        return startRow(name, Trial.median(ours), Trial.median(idle));
    }

    private List<String> idle() {
        List<String> command = new ArrayList<>(work("-Xmx256m"));
        command.add("noop");
        return command;
    }

    private static Row startRow(String name, Trial ours, Trial idle) {
        return new Row(
                name,
                ours.seconds(),
                ours.cpuSeconds(),
                0,
                idle.seconds(),
                0,
                ours.seconds() / idle.seconds(),
                "",
                ours.peakKib() >> 10,
                ours.anonymousKib() >> 10);
    }

    /// The first prompt on a terminal; nothing where there is no `script` to make one.
    Optional<Row> prompt() throws IOException, InterruptedException {
        if (!Files.isExecutable(Path.of("/usr/bin/script"))) {
            return Optional.empty();
        }
        Map<String, String> environment = Map.of(
                "TERM", "xterm", "XDG_STATE_HOME", data().resolve("state").toString());
        List<Trial> ours = new ArrayList<>();
        List<Trial> idle = new ArrayList<>();
        for (int i = 0; i < 2 * runs + 1; i++) {
            ours.add(Trial.untilPrompt(environment, "'" + launcher() + "'", "kintsugi>"));
            idle.add(run(idle()));
        }
        return Optional.of(startRow("start prompt", Trial.median(ours), Trial.median(idle)));
    }

    /// A job that writes a model to `out`, against `cp` of that model.
    Row writing(String name, List<String> command, String heap, List<Path> in, Path out)
            throws IOException, InterruptedException {
        List<Trial> ours = new ArrayList<>();
        List<Trial> starts = new ArrayList<>();
        List<Double> copies = new ArrayList<>();
        List<Double> synced = new ArrayList<>();
        Path copy = data().resolve("copy");
        for (int i = 0; i <= runs; i++) {
            delete(out);
            evict(in);
            Trial trial = Trial.of(within(heap), command);
            starts.add(launch());
            if (i > 0) {
                ours.add(trial);
                reference(List.of("cp", "-r", out.toString(), copy.toString()), List.of(out), copy, copies, synced);
            }
        }
        delete(out);
        return row(name, Trial.median(ours), Trial.median(starts), median(copies), median(synced), true, heap);
    }

    /// The environment in which the launcher starts a JVM with the heap limit `heap`.
    private static Map<String, String> within(String heap) {
        return Map.of("KINTSUGI_OPTS", "-Xmx" + heap);
    }

    private Trial launch() throws IOException, InterruptedException {
        return run(List.of(launcher(), "--version"));
    }

    /// A job of ours that reads the models `in` and writes one to `out`, against `cat` doing so.
    Row fusing(String name, List<String> command, String heap, List<Path> in, Path out)
            throws IOException, InterruptedException {
        List<Trial> ours = new ArrayList<>();
        List<Trial> starts = new ArrayList<>();
        List<Double> copies = new ArrayList<>();
        List<Double> synced = new ArrayList<>();
        Path copy = data().resolve("copy");
        String shell = cat(files(in)) + " > /dev/null; " + cat(files(in.subList(0, 1))) + " > '" + copy + "'";
        for (int i = 0; i < runs; i++) {
            delete(out);
            evict(in);
            ours.add(Trial.of(within(heap), command));
            starts.add(launch());
            delete(out);
            reference(List.of("sh", "-c", shell), in, copy, copies, synced);
        }
        return row(name, Trial.median(ours), Trial.median(starts), median(copies), median(synced), true, heap);
    }

    /// A job of ours that reads `in`, against `cat`.
    Row reading(String name, List<String> command, String heap, List<Path> in)
            throws IOException, InterruptedException {
        List<Trial> ours = new ArrayList<>();
        List<Trial> starts = new ArrayList<>();
        List<Trial> cats = new ArrayList<>();
        List<String> cat = List.of("sh", "-c", cat(files(in)) + " > /dev/null");
        for (int i = 0; i <= runs; i++) {
            evict(in);
            Trial trial = Trial.of(within(heap), command);
            evict(in);
            Trial reference = run(cat);
            if (i > 0) {
                ours.add(trial);
                cats.add(reference);
                starts.add(launch());
            }
        }
        return row(
                name,
                Trial.median(ours),
                Trial.median(starts),
                Trial.median(cats).seconds(),
                0,
                false,
                heap);
    }

    private static String cat(List<Path> files) {
        StringBuilder command = new StringBuilder("cat");
        files.forEach(f -> command.append(" '").append(f).append("'"));
        return command.toString();
    }

    /// What another program takes for what a row of ours does; nothing where it cannot do it.
    Optional<Row> other(String name, List<String> command, List<Path> in, double ours)
            throws IOException, InterruptedException {
        List<Trial> trials = new ArrayList<>();
        try {
            for (int i = 0; i <= runs; i++) {
                evict(in);
                Trial trial = run(command);
                if (i > 0) {
                    trials.add(trial);
                }
            }
        } catch (IOException | IllegalStateException e) {
            System.err.println("  " + name + ": left out, " + command.getFirst() + " cannot do it");
            return Optional.empty();
        }
        Trial median = Trial.median(trials);
        return Optional.of(new Row(
                name,
                median.seconds(),
                median.cpuSeconds(),
                0,
                0,
                0,
                median.seconds() / ours,
                "",
                median.peakKib() >> 10,
                median.anonymousKib() >> 10));
    }

    private void reference(List<String> command, List<Path> in, Path copy, List<Double> copies, List<Double> synced)
            throws IOException, InterruptedException {
        evict(in);
        delete(copy);
        long start = System.nanoTime();
        copies.add(run(command).seconds());
        for (Path file : files(List.of(copy))) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
        }
        synced.add((System.nanoTime() - start) / 1e9);
        delete(copy);
    }

    private static Row row(
            String name, Trial ours, Trial start, double reference, double synced, boolean writes, String heap) {
        return new Row(
                name,
                ours.seconds(),
                ours.cpuSeconds(),
                start.seconds(),
                reference,
                synced,
                Row.beyond(ours.seconds(), start.seconds(), writes ? synced : reference),
                heap,
                ours.peakKib() >> 10,
                ours.anonymousKib() >> 10);
    }

    /// One run of a command within the heap `limit`, for what memory it takes.
    Row once(String name, List<String> arguments, String limit, Path out) throws IOException, InterruptedException {
        delete(out);
        List<String> command = new ArrayList<>(List.of(launcher()));
        command.addAll(arguments);
        Trial trial = Trial.of(within(limit), command);
        delete(out);
        return new Row(
                name,
                trial.seconds(),
                trial.cpuSeconds(),
                0,
                0,
                0,
                trial.anonymousKib() / 1024.0 / 100,
                limit,
                trial.peakKib() >> 10,
                trial.anonymousKib() >> 10);
    }

    /// Opening and planning 1,000 tensors on `ranks` ranks.
    Row scale(int ranks, int dim) throws IOException, InterruptedException {
        Path path = data().resolve("scale-" + ranks + "-" + dim);
        SampleModels.small(path, ranks, SCALE_TENSORS, dim);
        List<String> command = new ArrayList<>(work("-Xmx2g"));
        command.addAll(List.of("open", path.toString()));
        List<Trial> ours = new ArrayList<>();
        List<Trial> starts = new ArrayList<>();
        for (int i = 0; i < Math.min(runs, 5); i++) {
            ours.add(run(command));
            starts.add(run(idle()));
        }
        String name = "scale " + ranks + " ranks" + (dim == 0 ? "" : ", Shard(" + dim + ")");
        Row row = row(name, Trial.median(ours), Trial.median(starts), 0, 0, false, "2g");
        double microseconds = (row.seconds() - row.start()) * 1e6 / ranks / SCALE_TENSORS;
        return new Row(
                name,
                row.seconds(),
                row.cpu(),
                row.start(),
                0,
                0,
                microseconds,
                "2g",
                row.peakMib(),
                row.anonymousMib());
    }

    /// Completing a name among 100,000, in milliseconds against the 50 a person does not notice.
    Row completion() {
        double seconds = CompletionTrial.seconds(100_000, runs);
        return new Row("complete among 100,000 names", seconds, 0, 0, 0, 0, seconds / 0.050, "", 0, 0);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = new ArrayList<>(values);
        sorted.sort(null);
        return sorted.get(sorted.size() / 2);
    }

    private static List<Path> files(List<Path> roots) throws IOException {
        List<Path> files = new ArrayList<>();
        for (Path root : roots) {
            try (Stream<Path> all = Files.walk(root)) {
                files.addAll(all.filter(Files::isRegularFile).sorted().toList());
            }
        }
        return files;
    }

    /// With `--cold`, asks the system to forget the files' pages.
    private void evict(List<Path> roots) throws IOException, InterruptedException {
        if (cold) {
            for (Path file : files(roots)) {
                run(List.of("dd", "if=" + file, "iflag=nocache", "count=0"));
            }
        }
    }

    static void delete(Path root) throws IOException {
        if (Files.exists(root)) {
            try (Stream<Path> all = Files.walk(root)) {
                for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
    }
}
