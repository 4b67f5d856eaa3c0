package dev.kintsugi.fuzz;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/// Feeds changed inputs to a target and holds each to [Check]. An input that fails is kept under `target/fuzz`.
public final class Fuzzer {
    private final Target target;
    private final long seed;
    private long faults;
    private long tried;

    public Fuzzer(Target target, long seed) {
        this.target = target;
        this.seed = seed;
    }

    /// Tries inputs `from` to `to` of this seed.
    public void run(long from, long to) {
        for (long number = from; number < to; number++) {
            one(number);
        }
    }

    /// How many inputs were tried.
    public long tried() {
        return tried;
    }

    /// How many inputs were refused.
    public long faults() {
        return faults;
    }

    private void one(long number) {
        byte[] input = new Mutations(target, new Random(seed * 1_000_003 + number)).next();
        byte[] kept = input.clone();
        try {
            faults += Check.refuses(target, input) ? 1 : 0;
        } catch (AssertionError e) {
            throw failed(kept, number, e);
        }
        tried++;
    }

    private AssertionError failed(byte[] input, long number, AssertionError how) {
        Path file = Path.of("target", "fuzz", target.name() + "-" + seed + "-" + number);
        try {
            Files.createDirectories(file.getParent());
            Files.write(file, input);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new AssertionError(
                target.name() + ", seed " + seed + ", input " + number + ", " + input.length + " bytes in " + file
                        + ": " + how.getMessage(),
                how);
    }
}
