package dev.kintsugi.shell;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// What a signal does to a command that runs without a prompt: the job is cancelled, and the process waits
/// until it has cleared up behind itself.
final class Interrupts {
    private static final CountDownLatch FINISHED = new CountDownLatch(1);

    private Interrupts() {}

    /// Cancels the running job of `session` when the process is told to end.
    static Thread cancelOnSignal(Session session) {
        Thread hook = new Thread(
                () -> {
                    session.cancel();
                    try {
                        boolean finished = FINISHED.await(30, TimeUnit.SECONDS);
                        Runtime.getRuntime().halt(finished ? 130 : 137);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "kintsugi-signal");
        Runtime.getRuntime().addShutdownHook(hook);
        return hook;
    }

    /// Says that the command has ended, and takes the hook away.
    static void remove(Thread hook) {
        FINISHED.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is on its way out already; the hook runs.
        }
    }
}
