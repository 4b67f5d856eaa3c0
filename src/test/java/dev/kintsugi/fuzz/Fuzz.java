package dev.kintsugi.fuzz;

import dev.kintsugi.shell.LineFuzz;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Fuzzes for a number of minutes: `scripts/fuzz MINUTES [TARGET|all|keep] [SEED]`.
///
/// Half the time changes seeds blindly but with knowledge of the format, half goes to [Jazzer], which is guided by
/// the branches taken. `keep` does neither: it puts what was found into the archives of [Kept].
public final class Fuzz {
    private static final int ROUND = 2000;
    private static final Duration HANG = Duration.ofMinutes(2);

    private Fuzz() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        double minutes = Double.parseDouble(arguments[0]);
        String which = arguments.length > 1 ? arguments[1] : "all";
        long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : System.nanoTime() & 0xffffff;
        Path scratch = Files.createTempDirectory("kintsugi-fuzz");
        try (LineFuzz lines = new LineFuzz()) {
            Targets targets = new Targets(scratch, lines);
            if (which.equals("keep")) {
                keep(targets.all());
                return;
            }
            System.out.println("seed " + seed);
            List<Target> wanted = which.equals("all") ? targets.all() : List.of(targets.named(which));
            long tried = blind(wanted, seed, minutes / 2) + guided(wanted, seed, minutes / 2);
            System.out.printf("%,d inputs tried, none failed%n", tried);
        } finally {
            try (var all = Files.list(scratch)) {
                for (Path file : all.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(scratch);
        }
    }

    private static long blind(List<Target> targets, long seed, double minutes) {
        long end = System.nanoTime() + (long) (minutes * 60e9);
        Map<Target, Fuzzer> fuzzers = new LinkedHashMap<>();
        targets.forEach(target -> fuzzers.put(target, new Fuzzer(target, seed)));
        while (System.nanoTime() < end) {
            fuzzers.forEach((target, fuzzer) -> {
                long from = fuzzer.tried();
                Thread watchdog = Thread.ofPlatform().daemon().start(() -> haltAfterHang(target, from));
                fuzzer.run(from, from + ROUND / target.cost());
                watchdog.interrupt();
            });
        }
        fuzzers.forEach((target, fuzzer) -> System.out.printf(
                "%-12s blind   %,12d inputs, %,d refused%n", target.name(), fuzzer.tried(), fuzzer.faults()));
        return fuzzers.values().stream().mapToLong(Fuzzer::tried).sum();
    }

    private static void haltAfterHang(Target target, long start) {
        try {
            boolean ended = new CountDownLatch(1).await(HANG.toSeconds(), TimeUnit.SECONDS);
            System.err.println(target.name() + " hangs within " + ROUND + " inputs from " + start + ": " + ended);
            Runtime.getRuntime().halt(1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static long guided(List<Target> targets, long seed, double minutes)
            throws IOException, InterruptedException {
        long tried = 0;
        for (Target target : targets) {
            Jazzer.Ran ran = new Jazzer(target).run(Math.max(1, (long) (minutes * 60 / targets.size())), seed);
            System.out.printf(
                    "%-12s guided  %,12d inputs, %,d branches%n", target.name(), ran.inputs(), ran.branches());
            if (ran.status() != 0) {
                throw new AssertionError(target.name() + " failed: see " + ran.log());
            }
            tried += ran.inputs();
        }
        return tried;
    }

    private static void keep(List<Target> targets) throws IOException, InterruptedException {
        Path archives = Files.createDirectories(Path.of("src", "test", "resources", "fuzz"));
        for (Target target : targets) {
            int kept = new Jazzer(target).keep(archives.resolve(target.name() + ".zip"));
            System.out.printf("%-12s %,d inputs kept%n", target.name(), kept);
        }
    }
}
