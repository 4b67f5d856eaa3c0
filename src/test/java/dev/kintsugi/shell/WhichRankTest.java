package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.checkpoint.Piece;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Runs every command of `docs/how-to/which-rank-is-wrong.md` on broken copies of the sample: it prints what
/// stands there. Where the output is meant to change, copy the page that the test leaves in
/// `target/transcripts`.
class WhichRankTest {
    private static final Path PAGE = Path.of("docs", "how-to", "which-rank-is-wrong.md");
    private static final Path SAMPLE = Path.of("docs", "sample", "actor");

    @TempDir
    Path scratch;

    private Path file(Path directory, int rank) {
        return directory.resolve("model_world_size_4_rank_" + rank + ".pt");
    }

    private Path run(String step) {
        return Broken.copy(SAMPLE, scratch.resolve("runs").resolve(step).resolve("actor"));
    }

    private void prepare(Screen screen) throws IOException {
        Files.createDirectories(scratch.resolve("runs"));
        for (String step : new String[] {"step_100", "step_110", "step_120", "step_130", "step_140"}) {
            Files.createDirectories(scratch.resolve("runs").resolve(step));
        }
        Files.delete(file(run("step_100"), 3));
        Path cut = run("step_110");
        Broken.truncate(file(cut, 1), 20_000);
        Path flipped = run("step_120");
        Piece piece = Broken.piece(flipped, "model.layers.1.mlp.up_proj.weight", 2);
        Broken.overwrite(piece.file(), piece.byteOffset() + 66, (byte) 0, (byte) 0x40);
        Path mixed = run("step_130");
        Instant saved = Files.getLastModifiedTime(file(mixed, 0)).toInstant();
        for (String tensor :
                new String[] {"model.norm.weight", "model.layers.0.mlp.up_proj.weight", "lm_head.weight"}) {
            Broken.train(Broken.piece(mixed, tensor, 1), (byte) 0x81, (byte) 0x3f, (byte) 0x20, (byte) 0xbd);
        }
        Files.setLastModifiedTime(file(mixed, 1), FileTime.from(saved.minus(Duration.ofHours(3))));
        Path swapped = run("step_140");
        Files.move(file(swapped, 1), scratch.resolve("one"));
        Files.move(file(swapped, 2), file(swapped, 1));
        Files.move(scratch.resolve("one"), file(swapped, 2));
        screen.done("open " + SAMPLE + " --as sample; export sample " + scratch.resolve("good-hf") + "; close sample");
    }

    @Test
    void thePageShowsWhatTheCommandsPrint() throws IOException {
        String text = Files.readString(PAGE);
        StringBuilder actual = new StringBuilder();
        try (Screen screen = Screen.piped()) {
            prepare(screen);
            boolean inside = false;
            for (String line : text.lines().toList()) {
                String shown = line.strip();
                boolean command = line.startsWith("    " + TranscriptsTest.PROMPT);
                inside = command || inside && line.startsWith("    ");
                if (command) {
                    screen.run(shown.substring(TranscriptsTest.PROMPT.length())
                            .replace("runs/", scratch.resolve("runs") + "/")
                            .replace("good-hf", scratch.resolve("good-hf").toString()));
                    actual.append(line).append('\n');
                    (screen.out() + screen.err())
                            .replace(scratch + "/", "")
                            .replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d", "2026-01-31 12:00:00")
                            .lines()
                            .forEach(l ->
                                    actual.append(("    " + l).stripTrailing()).append('\n'));
                } else if (!inside) {
                    actual.append(line).append('\n');
                }
            }
        }
        Path left = Path.of("target", "transcripts", "which-rank-is-wrong.md");
        Files.createDirectories(left.getParent());
        Files.writeString(left, actual);
        assertEquals(text, actual.toString(), "see " + left);
    }
}
