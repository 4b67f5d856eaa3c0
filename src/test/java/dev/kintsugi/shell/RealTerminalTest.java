package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The program in a process of its own on a pseudo-terminal of the kernel, which makes signals of keys and sizes.
@Timeout(120)
@EnabledOnOs(OS.LINUX)
class RealTerminalTest {
    private static final String CTRL_C = "\u0003";
    private static final String CTRL_D = "\u0004";
    private static final String CTRL_U = "\u0015";
    private static final String UP = "\u001bOA";

    @TempDir
    Path home;

    @Test
    void aDayAtTheTerminal() throws Exception {
        Path large = largeModel();
        try (Pty person = new Pty()) {
            person.sees("kintsugi> ");
            person.types("placem\t").sees("placements ").types(CTRL_U);
            person.types("open docs/sample/actor --as actor\r").sees("complete").sees("kintsugi> ");
            person.types("stats actor --spe\t").sees("--spectrum ").types(CTRL_U);
            person.types("show actor layers.1.mlp.up\t\t").sees("weight ").types("--slice 0,:2\r");
            person.sees("[56, 32]").sees("kintsugi> ");

            person.types("open " + large + " --as large\r").sees("large").sees("kintsugi> ");
            person.types("stats large\r").sees("▕").sees(" left");
            person.types(CTRL_C).sees("error[K9002]").sees("kintsugi> ");
            person.types("version\r").sees("(Java ").sees("kintsugi> ");

            person.resize(46);
            int before = person.seen;
            person.types("info actor\r").sees("reproduce").sees("kintsugi> ");
            String printed = person.screen.text().substring(before);
            assertTrue(printed.contains("mesh fsdp=4 · 27\n       tensors, 35.6 k parameters"), printed);
            assertTrue(printed.lines().filter(l -> !l.contains("kintsugi> ")).allMatch(l -> l.length() <= 46), printed);
            person.types(CTRL_D);
            assertEquals(0, person.left());
        }
        try (Pty person = new Pty()) {
            person.sees("were open").sees("kintsugi> ");
            person.types(UP).sees("info actor").types(UP).sees("version").types(CTRL_U);
            person.types(CTRL_C)
                    .sees("Ctrl-D or exit leaves")
                    .sees("kintsugi> ")
                    .types(CTRL_D);
            assertEquals(0, person.left());
        }
    }

    /// 256 GB of zeros that take no room on the disk.
    private Path largeModel() throws IOException {
        Path directory = Files.createDirectory(home.resolve("large"));
        long elements = 1L << 36;
        byte[] header = ("{\"w\":{\"dtype\":\"F32\",\"shape\":[65536," + (elements >> 16) + "],\"data_offsets\":[0,"
                        + 4 * elements + "]}}")
                .getBytes(StandardCharsets.UTF_8);
        try (RandomAccessFile file =
                new RandomAccessFile(directory.resolve("model.safetensors").toFile(), "rw")) {
            file.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length)
                    .array());
            file.write(header);
            file.setLength(8 + header.length + 4 * elements);
        }
        return directory;
    }

    /// The program below `script`, which gives it the terminal.
    private final class Pty implements AutoCloseable {
        private final Shown screen = new Shown();
        private final Process process;
        private final Path tty = home.resolve("tty");
        private int seen;

        Pty() throws IOException {
            String java =
                    Path.of(System.getProperty("java.home"), "bin", "java").toString();
            String command = "stty cols 100 rows 40; tty >" + tty + "; exec '" + java + "' -XX:TieredStopAtLevel=1"
                    + " --enable-native-access=ALL-UNNAMED -Dorg.jline.terminal.graphemeCluster=false -Xmx256m"
                    + " -cp '" + System.getProperty("java.class.path") + "' " + Main.class.getName();
            ProcessBuilder builder = new ProcessBuilder("script", "-qefc", command, "/dev/null");
            builder.environment().put("TERM", "xterm-256color");
            builder.environment().put("XDG_STATE_HOME", home.resolve("state").toString());
            builder.environment().put("XDG_CONFIG_HOME", home.resolve("config").toString());
            builder.environment().put("SHELL", "/bin/sh");
            builder.redirectErrorStream(true);
            process = builder.start();
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    process.getInputStream().transferTo(screen);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }

        Pty types(String text) throws IOException {
            process.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
            return this;
        }

        Pty sees(String text) throws InterruptedException {
            seen = screen.await(text, seen);
            return this;
        }

        /// The kernel tells the program that its terminal has another width.
        void resize(int columns) throws IOException, InterruptedException {
            Process stty = new ProcessBuilder(
                            "stty", "-F", Files.readString(tty).strip(), "cols", Integer.toString(columns))
                    .inheritIO()
                    .start();
            assertEquals(0, stty.waitFor());
        }

        int left() throws InterruptedException {
            assertTrue(process.waitFor(30, TimeUnit.SECONDS), screen.text());
            return process.exitValue();
        }

        @Override
        public void close() {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }
}
