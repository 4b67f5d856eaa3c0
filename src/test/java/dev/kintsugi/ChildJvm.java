package dev.kintsugi;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/// A JVM of its own on the classes of the tests, for what may kill one.
public final class ChildJvm {
    /// How a child ended.
    public record Ended(int status, String out, String err) {}

    private final List<String> options = new ArrayList<>(List.of("-Xshare:auto", "-XX:TieredStopAtLevel=1"));
    private final Path scratch;

    /// A child whose output goes to files in `scratch`.
    public ChildJvm(Path scratch) {
        this.scratch = scratch;
    }

    public ChildJvm with(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /// The same compiled by all compilers, as a long-running program is.
    public ChildJvm optimised() {
        options.remove("-XX:TieredStopAtLevel=1");
        return this;
    }

    public Process start(String mainClass, String... arguments) {
        List<String> command = command(mainClass, arguments);
        try {
            return new ProcessBuilder(command)
                    .redirectOutput(scratch.resolve("child-out").toFile())
                    .redirectError(scratch.resolve("child-err").toFile())
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The words that start it.
    public List<String> command(String mainClass, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", classPath(), mainClass));
        command.addAll(List.of(arguments));
        return command;
    }

    public Ended run(String mainClass, String... arguments) {
        return end(start(mainClass, arguments));
    }

    /// Waits for `process`, two minutes at most.
    public Ended end(Process process) {
        try {
            if (!process.waitFor(2, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new IllegalStateException("the child hangs: " + text("child-err"));
            }
            return new Ended(process.exitValue(), text("child-out"), text("child-err"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private String text(String name) {
        try {
            return Files.readString(scratch.resolve(name), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String classPath() {
        if (ChildJvm.class.getClassLoader() instanceof URLClassLoader loader) {
            return Arrays.stream(loader.getURLs()).map(ChildJvm::file).collect(Collectors.joining(File.pathSeparator));
        }
        return System.getProperty("java.class.path");
    }

    private static String file(URL url) {
        return Path.of(URI.create(url.toString())).toString();
    }
}
