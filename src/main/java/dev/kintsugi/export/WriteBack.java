package dev.kintsugi.export;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/// Has the disk begin with what is written already, so that little is left to wait for at the end.
///
/// The system tells of a failed write once for each open file, in whichever flush comes next: what a flush on
/// the way met is thrown by the calls that follow it, by [#finish()] at the latest.
final class WriteBack {
    private static final long STEP_BYTES = 64L << 20;

    private final FileChannel channel;
    private long pending;
    private @Nullable FutureTask<@Nullable Void> flush;

    WriteBack(FileChannel channel) {
        this.channel = channel;
    }

    /// Tells of `bytes` more; any thread may.
    synchronized void written(long bytes) throws IOException {
        pending += bytes;
        if (pending < STEP_BYTES || flush != null && !flush.isDone()) {
            return;
        }
        await();
        pending = 0;
        FutureTask<@Nullable Void> next = new FutureTask<>(() -> {
            channel.force(false);
            return null;
        });
        flush = next;
        Thread.ofPlatform().daemon().name("kintsugi-write-back").start(next);
    }

    /// Returns once everything is on the disk.
    synchronized void finish() throws IOException {
        await();
        channel.force(true);
    }

    private void await() throws IOException {
        if (flush == null) {
            return;
        }
        try {
            flush.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failure) {
                throw failure;
            }
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the disk wrote", e);
        }
    }
}
