package dev.kintsugi.fuzz;

import com.sun.management.ThreadMXBean;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/// Feeds changed inputs to a target and fails on anything but an answer or a fault of ours, on an input that
/// takes long, and on one that takes much memory. An input that fails is kept under `target/fuzz`.
public final class Fuzzer {
    private static final long MAX_NANOS = 5_000_000_000L;
    private static final long MAX_BYTES = 256L << 20;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

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
        long bytes = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        try {
            target.reader().read(input);
        } catch (Fault fault) {
            faults++;
        } catch (Exception | Error e) {
            throw failed(kept, number, e.toString(), e);
        }
        tried++;
        long nanos = System.nanoTime() - start;
        long used = THREADS.getCurrentThreadAllocatedBytes() - bytes;
        if (nanos > MAX_NANOS) {
            throw failed(kept, number, "took " + nanos / 1_000_000 + " ms", null);
        }
        if (used > MAX_BYTES) {
            throw failed(kept, number, "allocated " + used + " bytes", null);
        }
    }

    private AssertionError failed(byte[] input, long number, String how, Throwable cause) {
        Path file = Path.of("target", "fuzz", target.name() + "-" + seed + "-" + number);
        try {
            Files.createDirectories(file.getParent());
            Files.write(file, input);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new AssertionError(
                target.name() + ", seed " + seed + ", input " + number + ", " + input.length + " bytes in " + file
                        + ": " + how,
                cause);
    }
}
