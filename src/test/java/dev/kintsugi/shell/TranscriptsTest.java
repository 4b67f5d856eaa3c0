package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What every command that looks prints of the bundled sample, letter by letter: in a pipe and on a terminal.
///
/// A transcript is a text with commands behind `kintsugi> ` and what they print below. Where the output is
/// meant to change, copy the file of the same name that the test leaves in `target/transcripts`.
class TranscriptsTest {
    static final String PROMPT = "kintsugi> ";

    @TempDir
    Path scratch;

    private void check(String name, Screen screen) throws IOException {
        Path golden = Golden.resource("shell").resolve(name);
        String text = Files.readString(golden);
        Path out = scratch.resolve("out");
        screen.done("open docs/sample/actor --as sample; export sample " + out + "; close sample");
        Path drifted = Broken.copy(Path.of("docs", "sample", "actor"), scratch.resolve("drifted"));
        var piece = Broken.piece(drifted, "model.layers.1.mlp.up_proj.weight", 2);
        Broken.overwrite(piece.file(), piece.byteOffset() + 66, (byte) 0, (byte) 0x40);
        StringBuilder actual = new StringBuilder();
        for (String line : text.lines().filter(l -> l.startsWith(PROMPT)).toList()) {
            actual.append(line).append('\n');
            String command = line.substring(PROMPT.length())
                    .replace("OUT", out.toString())
                    .replace("DRIFTED", drifted.toString());
            screen.run(command);
            actual.append((screen.out() + screen.err())
                    .replace(out.toString(), "OUT")
                    .replace(drifted.toString(), "DRIFTED")
                    .replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d", "2026-01-31 12:00:00")
                    .replace("\u001b", "␛"));
        }
        Path left = Path.of("target", "transcripts", name);
        Files.createDirectories(left.getParent());
        Files.writeString(left, actual);
        assertEquals(text, actual.toString(), "see " + left);
    }

    @Test
    void pipedOutputIsPlainText() throws IOException {
        try (Screen screen = Screen.piped()) {
            check("piped.txt", screen);
        }
    }

    @Test
    void onATerminalThereIsColour() throws IOException {
        try (Screen screen = Screen.colored()) {
            check("terminal.txt", screen);
        }
    }

    /// Every path of keys that the JSON of a command has, with the type of its value.
    @Test
    void keysOfJsonAreStable() throws IOException {
        Path golden = Golden.resource("shell").resolve("json-keys.txt");
        String text = Files.readString(golden);
        Path drifted = Broken.copy(Path.of("docs", "sample", "actor"), scratch.resolve("drifted"));
        var piece = Broken.piece(drifted, "model.layers.1.mlp.up_proj.weight", 2);
        Broken.overwrite(piece.file(), piece.byteOffset() + 66, (byte) 0, (byte) 0x40);
        StringBuilder actual = new StringBuilder();
        try (Screen screen = Screen.piped()) {
            for (String line : text.lines().filter(l -> l.startsWith(PROMPT)).toList()) {
                String command = line.substring(PROMPT.length())
                        .replace("OUT", scratch.resolve("out").toString())
                        .replace("DRIFTED", drifted.toString());
                screen.run(command + " --format json");
                actual.append(line).append('\n');
                List<String> keys = JsonKeys.of(screen.out());
                keys.forEach(k -> actual.append("  ").append(k).append('\n'));
            }
        }
        Path left = Path.of("target", "transcripts", "json-keys.txt");
        Files.createDirectories(left.getParent());
        Files.writeString(left, actual);
        assertEquals(text, actual.toString(), "see " + left);
    }
}
