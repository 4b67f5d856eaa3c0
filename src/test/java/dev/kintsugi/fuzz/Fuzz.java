package dev.kintsugi.fuzz;

import dev.kintsugi.shell.LineFuzz;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Fuzzes all targets for a number of minutes: `scripts/fuzz MINUTES [SEED]`.
public final class Fuzz {
    private static final int ROUND = 2000;
    private static final Duration HANG = Duration.ofMinutes(2);

    private Fuzz() {}

    public static void main(String[] arguments) throws IOException {
        long end = System.nanoTime() + (long) (Double.parseDouble(arguments[0]) * 60e9);
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime() & 0xffffff;
        System.out.println("seed " + seed);
        Path scratch = Files.createTempDirectory("kintsugi-fuzz");
        try (LineFuzz lines = new LineFuzz()) {
            Map<Target, Fuzzer> fuzzers = new LinkedHashMap<>();
            for (Target target : new Targets(scratch, lines).all()) {
                fuzzers.put(target, new Fuzzer(target, seed));
            }
            rounds(fuzzers, end);
            fuzzers.forEach((target, fuzzer) -> System.out.printf(
                    "%-12s %,d inputs, %,d refused%n", target.name(), fuzzer.tried(), fuzzer.faults()));
            long tried = fuzzers.values().stream().mapToLong(Fuzzer::tried).sum();
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

    private static void rounds(Map<Target, Fuzzer> fuzzers, long end) {
        while (System.nanoTime() < end) {
            fuzzers.forEach((target, fuzzer) -> {
                long from = fuzzer.tried();
                Thread watchdog = Thread.ofPlatform().daemon().start(() -> haltAfterHang(target, from));
                fuzzer.run(from, from + ROUND / target.cost());
                watchdog.interrupt();
            });
        }
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
}
