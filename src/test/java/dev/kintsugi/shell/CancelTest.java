package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.PickleBytes;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.export.Models;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Commands that are cut off while they go over data, and commands on other numbers of threads.
class CancelTest {
    private static final int MAX_SECONDS = 5;
    private static final long BYTES = 1L << 30;

    @TempDir
    Path scratch;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    /// A model of zeros that take no disk.
    private Path sparse(String name) throws IOException {
        Path file = Files.createDirectories(scratch.resolve(name)).resolve("model.safetensors");
        String shape = "[" + BYTES / 8 + "]";
        String json = "{" + SafetensorsBytes.entry("a", "F32", shape, 0, BYTES / 2) + ","
                + SafetensorsBytes.entry("b", "F32", shape, BYTES / 2, BYTES) + "}";
        Files.write(file, SafetensorsBytes.of(json, 0));
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            random.setLength(random.length() + BYTES);
        }
        return file.getParent();
    }

    @DisplayName("R-08 Ctrl-C while a command goes over data ends it within seconds, and leaves no output")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "stats one",
                "diff one two",
                "validate one --data",
                "assert finite one",
                "export one OUT --keys as-is",
                "export one OUT --keys as-is --dtype bf16",
                "export mean OUT --keys as-is",
                "verify ARCHIVE"
            })
    void ctrlCEndsACommandThatGoesOverData(String command) throws IOException, InterruptedException {
        Path one = sparse("one");
        Path two = sparse("two");
        Path archive = scratch.resolve("model.bin");
        byte[] storage = new byte[command.startsWith("verify") ? 1 << 25 : 16];
        PickleBytes pickle = PickleBytes.proto2().op('}').text("w").vector("0", storage.length / 4);
        Files.write(archive, ZipBytes.torch(pickle.op('s').stop(), "0", storage));
        Path target = scratch.resolve("out");
        Console console = new Console(new PrintWriter(out), new PrintWriter(err), false, false, 100);
        try (Shell shell = Shell.on(console)) {
            assertEquals(Status.DONE, shell.run("open " + one + " --as one"), err.toString());
            assertEquals(Status.DONE, shell.run("open " + two + " --as two"), err.toString());
            assertEquals(Status.DONE, shell.run("fuse linear one two --as mean"), err.toString());
            ControlC ctrlC = ControlC.when(shell, job -> job.doneBytes() > 0);
            String line = command.replace("OUT", target.toString()).replace("ARCHIVE", archive.toString());
            Status status = assertTimeoutPreemptively(Duration.ofSeconds(60), () -> shell.run(line));
            assertEquals(Status.INTERRUPTED, status, out + "\n" + err);
            assertTrue(ctrlC.secondsAgo() < MAX_SECONDS);
            try (Stream<Path> files = Files.list(scratch)) {
                assertEquals(
                        List.of("model.bin", "one", "two"),
                        files.map(p -> String.valueOf(p.getFileName())).sorted().toList());
            }
            shell.session().begin();
            assertEquals(Status.DONE, shell.run("version"));
        }
    }

    @DisplayName("R-12 any number of threads casts and fuses to the same bytes, and counts the same")
    @Test
    void anyNumberOfThreadsFusesToTheSameBytes() throws IOException {
        Path one = Models.write(scratch.resolve("one"), 5, 70_000);
        Path two = Models.write(scratch.resolve("two"), 5, 70_000);
        spoil(one, 0);
        spoil(two, 3);
        Map<String, Object> first = results(one, two, 1);
        assertTrue(first.size() > 10, first.keySet().toString());
        for (int threads : new int[] {2, 5, 32}) {
            Map<String, Object> others = results(one, two, threads);
            assertEquals(first.keySet(), others.keySet());
            first.forEach((name, result) -> assertEquals(result, others.get(name), name + " on " + threads));
        }
    }

    /// Makes every element of a model finite and below 2, and another one by `change`.
    private static void spoil(Path model, int change) throws IOException {
        Path file = model.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        for (int high = bytes.length - 1; high > bytes.length - 5 * 2 * 70_000; high -= 2) {
            bytes[high] = (byte) ((bytes[high] ^ high % (change + 1)) & 0xbf);
        }
        Files.write(file, bytes);
    }

    private Map<String, Object> results(Path one, Path two, int threads) throws IOException {
        Map<String, Object> results = new TreeMap<>();
        Path targets = Files.createDirectories(scratch.resolve("on" + threads));
        Typed typed = new Typed();
        String opened = "open " + one + " --as one; open " + two + " --as two; set threads " + threads;
        Map<String, String> outputs = new TreeMap<>(Map.of(
                "linear", "fuse linear one two --weights 0.3,0.7 --as m",
                "slerp", "fuse slerp two --base one --t 0.3 --as m",
                "ties", "fuse ties one two --base one --as m",
                "dare", "fuse dare_ties one two --base one --density 0.5 --seed 3 --as m",
                "attention", "fuse attention one two --base one --as m"));
        outputs.forEach((name, fuse) -> assertEquals(
                Status.DONE,
                typed.run(opened, fuse, "export m " + targets.resolve(name) + " --keys as-is --threads " + threads),
                typed.err.toString()));
        assertEquals(
                Status.DONE,
                typed.run(opened, "export one " + targets.resolve("f16") + " --keys as-is --dtype f16"),
                typed.err.toString());
        for (String look : List.of("stats one", "diff one two")) {
            typed.out.getBuffer().setLength(0);
            typed.run(opened, look + " --format json");
            String json = typed.out.toString();
            assertTrue(json.contains("layers.004.weight"), json + typed.err);
            results.put(look, json.substring(json.indexOf('{')));
        }
        try (Stream<Path> files = Files.walk(targets)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                results.put(targets.relativize(file).toString(), Files.readString(file, StandardCharsets.ISO_8859_1));
            }
        }
        return results;
    }
}
