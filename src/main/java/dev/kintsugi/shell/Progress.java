package dev.kintsugi.shell;

import dev.kintsugi.work.Job;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Shows how far a job is once it has run for a second: on a terminal one line that is written over, else a
/// line every ten seconds.
final class Progress implements AutoCloseable {
    private static final int BAR = 20;
    private static final int ABOUT = 56;

    private final String title;
    private final Job job;
    private final Console console;
    private final long start = System.nanoTime();
    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread thread;
    private volatile boolean shown;

    private Progress(String title, Job job, Console console) {
        this.title = title;
        this.job = job;
        this.console = console;
        this.thread = Thread.ofPlatform().daemon().name("kintsugi-progress").unstarted(this::watch);
    }

    static Progress start(String title, Job job, Console console) {
        Progress progress = new Progress(title, job, console);
        progress.thread.start();
        return progress;
    }

    private void watch() {
        try {
            long millis = console.isTerminal() ? 1000 : 10_000;
            while (!finished.await(millis, TimeUnit.MILLISECONDS)) {
                show();
                millis = console.isTerminal() ? 100 : 10_000;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void show() {
        String line = line((System.nanoTime() - start) / 1e9);
        if (console.isTerminal()) {
            console.err().print("\r\u001b[2K" + line);
        } else {
            console.err().println(line);
        }
        console.err().flush();
        shown = true;
    }

    private String line(double seconds) {
        long done = job.doneBytes();
        long expected = job.expectedBytes();
        if (expected <= 0) {
            String about = job.about().isEmpty() ? "" : " · " + Escape.text(shortened(job.about()));
            return title + " … " + Units.seconds(seconds) + about;
        }
        double part = Math.min(1, (double) done / expected);
        double rate = done / Math.max(seconds, 1e-9);
        int full = (int) (part * BAR);
        String left = rate > 0 ? Units.seconds((expected - done) / rate) + " left" : "";
        return String.format(
                Locale.ROOT,
                "%s ▕%s%s▏ %3.0f %% %s / %s · %s/s · %s",
                title,
                "█".repeat(full),
                " ".repeat(BAR - full),
                part * 100,
                Units.bytes(done),
                Units.bytes(expected),
                Units.bytes((long) rate),
                left);
    }

    /// A line that is written over must not be longer than the screen is wide.
    private static String shortened(String text) {
        return text.length() <= ABOUT ? text : "…" + text.substring(text.length() - ABOUT + 1);
    }

    @Override
    public void close() {
        finished.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (shown && console.isTerminal()) {
            console.err().print("\r\u001b[2K");
            console.err().flush();
        }
    }
}
