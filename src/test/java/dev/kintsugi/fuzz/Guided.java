package dev.kintsugi.fuzz;

import dev.kintsugi.shell.LineFuzz;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;

/// What Jazzer calls: one target, named by the property `kintsugi.fuzz`. Jazzer counts the branches that an input
/// takes, keeps one that takes new ones, and changes those it keeps. It finds this class and its methods by name,
/// so nothing here needs Jazzer to compile.
public final class Guided {
    private static Target target;

    private Guided() {}

    /// Called once.
    @SuppressWarnings("MustBeClosedChecker") // it lasts as long as the process
    public static void fuzzerInitialize() throws IOException {
        String name = Objects.requireNonNull(System.getProperty("kintsugi.fuzz"), "kintsugi.fuzz");
        target = new Targets(Path.of(System.getProperty("kintsugi.fuzz.scratch")), new LineFuzz()).named(name);
    }

    /// Called for every input.
    public static void fuzzerTestOneInput(byte[] input) {
        Check.refuses(target, input);
    }
}
