package dev.kintsugi.work;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.concurrent.atomic.AtomicLong;

/// What a long job reports to and is cancelled by. Any thread may call any method.
///
/// **Units.** Bytes.
public final class Job {
    private final AtomicLong expected = new AtomicLong();
    private final AtomicLong done = new AtomicLong();
    private final int threads;
    private volatile boolean cancelled;

    public Job(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("a job needs a thread");
        }
        this.threads = threads;
    }

    /// A job on all processors that nobody watches.
    public static Job quiet() {
        return new Job(Runtime.getRuntime().availableProcessors());
    }

    /// How many threads the job may use.
    public int threads() {
        return threads;
    }

    /// Announces `bytes` more work.
    public void expect(long bytes) {
        expected.addAndGet(bytes);
    }

    /// Reports `bytes` done. **Errors.** [Fault] `K9002` if the job was cancelled.
    public void advance(long bytes) {
        done.addAndGet(bytes);
        check();
    }

    /// **Errors.** [Fault] `K9002` if the job was cancelled or its thread interrupted.
    public void check() {
        if (cancelled || Thread.currentThread().isInterrupted()) {
            throw new Fault(Code.K9002, "interrupted", "Ctrl-C or a signal asked for it", "run the command again");
        }
    }

    public void cancel() {
        cancelled = true;
    }

    public boolean isCancelled() {
        return cancelled;
    }

    public long expectedBytes() {
        return expected.get();
    }

    public long doneBytes() {
        return done.get();
    }
}
