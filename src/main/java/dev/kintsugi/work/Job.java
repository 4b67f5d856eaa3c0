package dev.kintsugi.work;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// What a long job reports to and is cancelled by. Any thread may call any method.
///
/// **Units.** Bytes.
public final class Job {
    private static final ScopedValue<Job> CURRENT = ScopedValue.newInstance();

    private static final int MAX_REMARKS = 4096;

    private final AtomicLong expected = new AtomicLong();
    private final AtomicLong done = new AtomicLong();
    private final int threads;
    private final AtomicLong diskWaitNanos = new AtomicLong();
    private final List<Part> parts = new ArrayList<>();
    private final Map<Remark, SortedSet<String>> remarks = new EnumMap<>(Remark.class);
    private volatile boolean cancelled;
    private volatile String about = "";

    /// A part of a job and when it began.
    ///
    /// **Units.** `startNanos` as [System#nanoTime()] counts; `startBytes` are those done before it.
    public record Part(String name, long startNanos, long startBytes) {}

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
            throw interrupted();
        }
    }

    /// Tells that a part called `name` begins, and that the one before has ended.
    public void begin(String name) {
        synchronized (parts) {
            parts.add(new Part(name, System.nanoTime(), done.get()));
        }
    }

    /// Says in a few words what it is at, for whoever watches it.
    public void about(String text) {
        about = text;
    }

    /// What it is at; empty if that was not said.
    public String about() {
        return about;
    }

    /// The parts begun so far, in their order.
    public List<Part> parts() {
        synchronized (parts) {
            return List.copyOf(parts);
        }
    }

    /// Tells that a thread waited `nanos` for the disk to have what was written.
    public void waitedForDisk(long nanos) {
        diskWaitNanos.addAndGet(nanos);
    }

    public long diskWaitNanos() {
        return diskWaitNanos.get();
    }

    /// Does `task` for this job, which [#checkCurrent()] finds on the way.
    public <T> T doing(Supplier<T> task) {
        return ScopedValue.where(CURRENT, this).call(task::get);
    }

    /// Checks the job that this thread does something for, if it does, from where no job is handed down: the
    /// readers of formats, whose loops are as long as a file says. **Errors.** [Fault] `K9002`.
    public static void checkCurrent() {
        if (CURRENT.isBound()) {
            CURRENT.get().check();
        } else if (Thread.currentThread().isInterrupted()) {
            throw interrupted();
        }
    }

    /// Tells the job that this thread does something for, if it does, of something met on the way, from where no job is
    /// handed down. Of more than a few thousand of a kind, those that come first in alphabetical order are kept.
    public static void remark(Remark kind, String what) {
        if (CURRENT.isBound()) {
            CURRENT.get().keep(kind, what);
        }
    }

    private void keep(Remark kind, String what) {
        synchronized (remarks) {
            SortedSet<String> kept = remarks.computeIfAbsent(kind, k -> new TreeSet<>());
            kept.add(what);
            if (kept.size() > MAX_REMARKS) {
                kept.removeLast();
            }
        }
    }

    /// What was remarked of `kind` since this was last asked, in alphabetical order.
    public List<String> takeRemarks(Remark kind) {
        synchronized (remarks) {
            SortedSet<String> kept = remarks.remove(kind);
            return kept == null ? List.of() : List.copyOf(kept);
        }
    }

    private static Fault interrupted() {
        return new Fault(Code.K9002, "interrupted", "Ctrl-C or a signal asked for it", "run the command again");
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
