package dev.kintsugi.work;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/// Runs one task per item on the threads of a [Job]; results come in the order of the items.
public final class Parallel {
    private Parallel() {}

    /// Applies `task` to each item. A failure stops the tasks behind it that have not begun; that of the first item
    /// that fails is thrown as it is, whichever thread was the fastest.
    public static <T, R> List<R> map(Job job, List<T> items, Function<T, R> task) {
        int threads = Math.min(job.threads(), items.size());
        if (threads <= 1) {
            List<R> results = new ArrayList<>();
            for (T item : items) {
                job.check();
                results.add(job.doing(() -> task.apply(item)));
            }
            return results;
        }
        AtomicInteger failed = new AtomicInteger(Integer.MAX_VALUE);
        try (var pool = Executors.newFixedThreadPool(threads, Parallel::thread)) {
            List<Future<R>> futures = new ArrayList<>();
            for (int i = 0; i < items.size(); i++) {
                T item = items.get(i);
                int number = i;
                futures.add(pool.submit(() -> {
                    if (failed.get() < number) {
                        throw new IllegalStateException("another task failed");
                    }
                    try {
                        job.check();
                        return job.doing(() -> task.apply(item));
                    } catch (RuntimeException | Error e) {
                        failed.accumulateAndGet(number, Math::min);
                        throw e;
                    }
                }));
            }
            try {
                return collect(futures);
            } catch (InterruptedException e) {
                failed.set(-1);
                job.cancel();
                pool.shutdownNow();
                throw new Fault(Code.K9002, "interrupted", "Ctrl-C or a signal asked for it", "run it again", e);
            }
        }
    }

    private static <R> List<R> collect(List<Future<R>> futures) throws InterruptedException {
        List<R> results = new ArrayList<>();
        Throwable first = null;
        for (Future<R> future : futures) {
            try {
                results.add(future.get());
            } catch (ExecutionException e) {
                Throwable cause = e.getCause();
                if (first == null || first instanceof IllegalStateException) {
                    first = cause;
                }
            }
        }
        if (first instanceof RuntimeException exception) {
            throw exception;
        }
        if (first instanceof Error error) {
            throw error;
        }
        return results;
    }

    private static Thread thread(Runnable task) {
        Thread thread = new Thread(task, "kintsugi-worker");
        thread.setDaemon(true);
        return thread;
    }
}
