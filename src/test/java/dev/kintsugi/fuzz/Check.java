package dev.kintsugi.fuzz;

import com.sun.management.ThreadMXBean;
import dev.kintsugi.fault.Fault;
import java.lang.management.ManagementFactory;

/// What is asked of a target for any input: an answer or a fault of ours, soon, and in bounded memory. Time is the
/// thread's own, for the machine may be busy; what waits for ever is for the caller's watchdog.
final class Check {
    private static final long MAX_NANOS = 5_000_000_000L;
    private static final long MAX_BYTES = 256L << 20;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Check() {}

    /// Feeds `input`, which the target may change, to `target`; whether it is refused.
    ///
    /// **Errors.** [AssertionError] where more happens than that, saying what.
    static boolean refuses(Target target, byte[] input) {
        long bytes = THREADS.getCurrentThreadAllocatedBytes();
        long start = THREADS.getCurrentThreadCpuTime();
        boolean refused = false;
        try {
            target.reader().read(input);
        } catch (Fault fault) {
            refused = true;
        } catch (Exception | Error e) {
            throw new AssertionError(e.toString(), e);
        }
        long nanos = THREADS.getCurrentThreadCpuTime() - start;
        long used = THREADS.getCurrentThreadAllocatedBytes() - bytes;
        if (nanos > MAX_NANOS) {
            throw new AssertionError("took " + nanos / 1_000_000 + " ms");
        }
        if (used > MAX_BYTES) {
            throw new AssertionError("allocated " + used + " bytes");
        }
        return refused;
    }
}
