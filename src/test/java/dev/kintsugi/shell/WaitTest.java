package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `--wait` as a person meets it.
class WaitTest {
    private static final byte[] MODEL =
            SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[2]", 0, 8) + "}", 8);

    @TempDir
    Path scratch;

    private final Typed typed = new Typed();

    private String shown() {
        return typed.out + "\n" + typed.err;
    }

    @DisplayName("R-04 a model that is still being written is opened, or merged, when it has been still for a while")
    @ParameterizedTest
    @ValueSource(strings = {"open DIR --as m", "merge --local_dir DIR --target_dir OUT --keys as-is"})
    void aGrowingFileIsWaitedFor(String command) throws IOException, InterruptedException {
        Path file = Files.write(scratch.resolve("model.safetensors"), Arrays.copyOf(MODEL, 8));
        String line = command.replace("DIR", scratch.toString())
                .replace(
                        "OUT",
                        scratch.resolveSibling(scratch.getFileName() + "-out").toString());
        assertEquals(Status.CORRUPT, typed.run(line), shown());
        Thread job = Thread.ofPlatform().daemon().start(() -> {
            while (!typed.err.toString().contains("note: waiting until")) {
                Thread.onSpinWait();
            }
            try {
                for (int at = 8; at < MODEL.length; at++) {
                    Files.write(file, new byte[] {MODEL[at]}, StandardOpenOption.APPEND);
                }
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        assertEquals(Status.DONE, typed.run(line + " --wait 2s"), shown());
        assertFalse(job.isAlive());
        job.join();
        assertTrue(typed.err.toString().contains("note: waiting until no file of " + scratch), shown());
        assertTrue(typed.err.toString().contains("has changed for 2s; Ctrl-C cancels"), shown());
    }

    @DisplayName("R-04, R-08 Ctrl-C ends a wait with the usual status")
    @Test
    void ctrlCEndsAWait() throws IOException, InterruptedException {
        Files.write(scratch.resolve("model.safetensors"), MODEL);
        Console console = new Console(new PrintWriter(typed.out), new PrintWriter(typed.err), false, false, 100);
        try (Shell shell = Shell.on(console)) {
            ControlC ctrlC = ControlC.when(shell, job -> true);
            Status status = assertTimeoutPreemptively(
                    Duration.ofSeconds(60), () -> shell.run("open " + scratch + " --as m --wait 1h"));
            assertEquals(Status.INTERRUPTED, status, shown());
            assertTrue(ctrlC.secondsAgo() < 60);
            assertEquals(Status.USAGE, shell.run("info m"));
        }
    }

    @Test
    void aWorkspaceDoesNotWaitAgain() throws IOException {
        Files.write(scratch.resolve("model.safetensors"), MODEL);
        Path recipe = scratch.resolve("again.rsh");
        assertEquals(
                Status.DONE,
                typed.run("open " + scratch + " --as m --wait 1ms", "workspace recipe " + recipe),
                shown());
        assertFalse(Files.readString(recipe).contains("--wait"), Files.readString(recipe));
    }

    @Test
    void aPathThatIsNotThereIsNotWaitedFor() {
        Status status = assertTimeoutPreemptively(
                Duration.ofSeconds(60), () -> typed.run("open " + scratch.resolve("none") + " --wait 1h"));
        assertEquals(Status.USAGE, status, shown());
    }

    @ParameterizedTest
    @ValueSource(strings = {"30", "0s", "-1s", "1.5s", "1d", "1000000s", "s", "''"})
    void whatIsNoTimeIsRefused(String time) throws IOException {
        Files.write(scratch.resolve("model.safetensors"), MODEL);
        assertEquals(Status.USAGE, typed.run("open " + scratch + " --wait " + time), shown());
        assertTrue(typed.err.toString().contains("error[K1003]"), shown());
    }
}
