package dev.kintsugi.shell;

import dev.kintsugi.work.Job;
import java.util.function.Predicate;

/// Ctrl-C at a moment of a command's own.
final class ControlC {
    private final Shell shell;
    private final Thread thread;
    private volatile long nanos;

    private ControlC(Shell shell, Predicate<Job> moment) {
        this.shell = shell;
        this.thread = Thread.ofPlatform().daemon().start(() -> press(moment));
    }

    /// Presses it in `shell` as soon as a job is at `moment`.
    static ControlC when(Shell shell, Predicate<Job> moment) {
        shell.session().begin();
        return new ControlC(shell, moment);
    }

    private void press(Predicate<Job> moment) {
        while (shell.session().running().filter(moment).isEmpty()) {
            Thread.onSpinWait();
        }
        nanos = System.nanoTime();
        shell.session().cancel();
    }

    /// How long ago it was pressed, in seconds. **Errors.** [InterruptedException] where the thread is.
    double secondsAgo() throws InterruptedException {
        thread.join();
        return (System.nanoTime() - nanos) / 1e9;
    }
}
