package dev.kintsugi.fuzz;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.shell.LineFuzz;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A few seconds of what `scripts/fuzz MINUTES` does for long.
class FuzzTest {
    private static final long SEED = 6;
    private static final int INPUTS = 4000;

    /// Of small formats, whose seeds reach what there is.
    private static final Set<String> LATER = Set.of("config", "workspace");

    @TempDir
    Path scratch;

    @DisplayName("P-23 changed inputs of every reader give an answer or a fault of ours, soon, and in bounded memory")
    @Test
    void changedInputsGiveAnAnswerOrAFault() throws IOException {
        try (LineFuzz lines = new LineFuzz()) {
            for (Target target : new Targets(scratch, lines).all()) {
                int inputs = INPUTS / target.cost();
                Fuzzer fuzzer = new Fuzzer(target, SEED);
                assertTimeoutPreemptively(
                        Duration.ofSeconds(60), () -> fuzzer.run(0, inputs), target.name() + " hangs");
                assertTrue(fuzzer.faults() > 0, target.name() + " refused nothing");
                assertTrue(fuzzer.faults() < inputs, target.name() + " accepted nothing");
            }
        }
    }

    @DisplayName(
            "P-23 inputs that were found to reach new code, or broke a reader once, give an answer or a fault of ours")
    @Test
    void keptInputsGiveAnAnswerOrAFault() throws IOException {
        try (LineFuzz lines = new LineFuzz()) {
            for (Target target : new Targets(scratch, lines).all()) {
                for (byte[] input : target.kept()) {
                    Check.refuses(target, input.clone());
                }
                assertTrue(target.kept().size() > 0 || LATER.contains(target.name()), target.name() + " keeps nothing");
            }
        }
    }
}
