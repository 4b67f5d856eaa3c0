package dev.kintsugi.shell;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/// What was written to a terminal, for one that waits until something shows.
final class Shown extends OutputStream {
    private static final long PATIENCE_SECONDS = 30;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public synchronized void write(int value) {
        bytes.write(value);
        notifyAll();
    }

    @Override
    public synchronized void write(byte[] source, int from, int count) {
        bytes.write(source, from, count);
        notifyAll();
    }

    /// Everything, without the codes that move and colour.
    synchronized String text() {
        return bytes.toString(StandardCharsets.UTF_8).replaceAll("\u001b\\[[0-9;?]*[A-Za-z]|\r", "");
    }

    /// Waits for `text` from character `from` on; where it ends.
    synchronized int await(String text, int from) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (true) {
            String all = text();
            int at = all.indexOf(text, Math.min(from, all.length()));
            if (at >= 0) {
                return at + text.length();
            }
            long millis = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            if (millis <= 0) {
                throw new AssertionError("no \"" + text + "\" after:\n" + all.substring(Math.min(from, all.length()))
                        + "\n--- all:\n" + all);
            }
            wait(millis);
        }
    }
}
