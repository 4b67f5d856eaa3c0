package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.ExternalTerminal;

/// A person at a terminal: types keys, waits until something shows.
final class Typist implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 20;

    private final PipedOutputStream keys = new PipedOutputStream();
    private final Shown screen = new Shown();
    private final ExternalTerminal terminal;
    private final Shell shell;
    private final CompletableFuture<Status> leaving = new CompletableFuture<>();
    private int seen;

    private Typist(Path home, List<String> arguments) throws IOException {
        terminal = new ExternalTerminal(
                "test", "ansi", new PipedInputStream(keys, 1 << 16), screen, StandardCharsets.UTF_8);
        terminal.setSize(new Size(100, 40));
        PrintWriter writer = terminal.writer();
        shell = Shell.on(new Console(writer, writer, true, false, 100), Typescript.places(home));
        Start start = Start.of(arguments);
        Thread.ofPlatform().daemon().start(() -> {
            try {
                leaving.complete(Prompt.on(terminal, shell, start));
            } catch (RuntimeException | Error e) {
                leaving.completeExceptionally(e);
            }
        });
    }

    static Typist at(Path home, List<String> arguments) throws IOException {
        return new Typist(home, arguments);
    }

    Shell shell() {
        return shell;
    }

    Typist types(String text) throws IOException {
        keys.write(text.getBytes(StandardCharsets.UTF_8));
        keys.flush();
        return this;
    }

    /// Waits until `text` shows, behind what was waited for before.
    Typist sees(String text) throws InterruptedException {
        seen = screen.await(text, seen);
        return this;
    }

    void resize(int columns) {
        terminal.setSize(new Size(columns, 40));
        terminal.raise(Terminal.Signal.WINCH);
    }

    /// Everything that showed, without the codes that move and colour.
    String screen() {
        return screen.text();
    }

    Status left() throws InterruptedException, ExecutionException, TimeoutException {
        return leaving.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void close() throws IOException {
        keys.close();
        shell.close();
        terminal.close();
    }
}
