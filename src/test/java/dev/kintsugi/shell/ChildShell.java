package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/// A shell in a process of its own that spoils a file while a command runs: FILE HOW WHEN LINE…
///
/// HOW is `truncate`, `overwrite`, `grow`, `replace`, `fill`, which writes to FILE until its disk is full, or
/// `nothing`, and then lines that fail are no end. WHEN is a path that the command makes, a number of milliseconds
/// after it began, or `progress`: its first bytes done. The last line is the command; its status is the process's.
final class ChildShell {
    private ChildShell() {}

    public static void main(String[] arguments) throws InterruptedException {
        Console console = Console.ofProcess(System.out, System.err, Map.of("TERM", "dumb"));
        Status status = Status.DONE;
        try (Shell shell = Shell.on(console)) {
            boolean goesOn = arguments[1].equals("nothing");
            for (int i = 3; i < arguments.length - 1 && (goesOn || status == Status.DONE); i++) {
                status = shell.run(arguments[i]);
            }
            if (goesOn || status == Status.DONE) {
                Thread spoiler = Thread.ofPlatform().daemon().start(() -> spoil(arguments, shell.session()));
                status = shell.run(arguments[arguments.length - 1]);
                spoiler.join();
            }
        }
        Runtime.getRuntime().halt(status.exitCode());
    }

    private static void spoil(String[] arguments, Session session) {
        Path file = Path.of(arguments[0]);
        long start = System.nanoTime();
        while (arguments[2].equals("progress")
                && session.running().filter(j -> j.doneBytes() > 0).isEmpty()) {
            Thread.onSpinWait();
        }
        boolean timed = arguments[2].matches("\\d+");
        long wait = timed ? Long.parseLong(arguments[2]) * 1_000_000 : 0;
        while (!arguments[2].equals("progress")
                && (timed ? System.nanoTime() - start < wait : !Files.exists(Path.of(arguments[2])))) {
            LockSupport.parkNanos(100_000);
        }
        try {
            change(file, arguments[1]);
        } catch (IOException e) {
            Runtime.getRuntime().halt(99);
        }
    }

    private static void fill(Path file) throws IOException {
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            for (int bytes = 1 << 20; bytes > 0; bytes /= 2) {
                fill(random, new byte[bytes]);
            }
        }
    }

    private static void fill(RandomAccessFile random, byte[] bytes) {
        try {
            while (true) {
                random.write(bytes);
            }
        } catch (IOException e) {
            // It is full for so many bytes.
        }
    }

    private static void change(Path file, String how) throws IOException {
        if (how.equals("nothing")) {
            return;
        }
        if (how.equals("fill")) {
            fill(file);
            return;
        }
        if (how.equals("replace")) {
            Path other = file.resolveSibling("other");
            try (RandomAccessFile random = new RandomAccessFile(other.toFile(), "rw")) {
                random.setLength(Files.size(file));
            }
            Files.setLastModifiedTime(other, Files.getLastModifiedTime(file));
            Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
            return;
        }
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            switch (how) {
                case "truncate" -> random.setLength(8192);
                case "grow" -> random.setLength(random.length() + 1);
                default -> {
                    random.seek(random.length() - 1);
                    random.write(1);
                    random.getFD().sync();
                }
            }
        }
        Files.setLastModifiedTime(file, FileTime.fromMillis(1_000_000));
    }
}
