package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What every command prints of the bundled sample, letter by letter: in a pipe, on a terminal, and as JSON.
///
/// A transcript is a text with commands behind `kintsugi> ` and what they print below. `HOME` stands for a
/// directory of the test's own, with a damaged copy of the sample, the sample as it is exported, and a recipe.
/// Where the output is meant to change, copy the file of the same name that the test leaves in
/// `target/transcripts`.
class TranscriptsTest {
    static final String PROMPT = "kintsugi> ";

    /// Short and the same everywhere, for lines are folded.
    private final Path home = Path.of("target", "here");

    @BeforeEach
    void begin() throws IOException {
        if (Files.exists(home)) {
            try (Stream<Path> all = Files.walk(home)) {
                for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
        Files.createDirectories(home);
    }

    private void check(String name, Screen screen) throws IOException {
        prepare(screen);
        String text = Files.readString(Golden.resource("shell").resolve(name));
        StringBuilder actual = new StringBuilder();
        for (String line : commands(name)) {
            actual.append(PROMPT).append(line).append('\n');
            screen.run(line.replace("HOME", home.toString()));
            actual.append(masked(screen.out() + screen.err()));
        }
        compare(name, text, actual.toString());
    }

    private void prepare(Screen screen) throws IOException {
        screen.done("open docs/sample/actor --as sample; export sample " + home.resolve("written") + "; close sample");
        Path drifted = Broken.copy(Path.of("docs", "sample", "actor"), home.resolve("drifted"));
        var piece = Broken.piece(drifted, "model.layers.1.mlp.up_proj.weight", 2);
        Broken.overwrite(piece.file(), piece.byteOffset() + 66, (byte) 0, (byte) 0x40);
        Files.writeString(home.resolve("norms.rsh"), "param model\ntensors $model norm.weight\nassert finite\n");
        Files.writeString(home.resolve("one.rsh"), "tensors actor norm.weight\n");
    }

    private static List<String> commands(String name) throws IOException {
        return Files.readString(Golden.resource("shell").resolve(name))
                .lines()
                .filter(l -> l.startsWith(PROMPT))
                .map(l -> l.substring(PROMPT.length()))
                .toList();
    }

    private String masked(String printed) {
        return printed.replace(home.toAbsolutePath().toString(), "HOME")
                .replace(home.toString(), "HOME")
                .replace(Path.of("").toAbsolutePath().toString(), "HERE")
                .replaceAll("'((?:HERE|HOME)[^']*)'", "$1")
                .replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d", "2026-01-31 12:00:00")
                .replaceAll("\\b\\d+(\\.\\d+)? s\\b", "1 s")
                .replaceAll("\\b\\d+(\\.\\d+)? ?[kMGT]?B/s", "1 B/s")
                .replaceAll("\\(Java [^)]*\\)", "(Java 25)")
                .replace("\u001b", "␛");
    }

    private static void compare(String name, String text, String actual) throws IOException {
        Path left = Path.of("target", "transcripts", name);
        Files.createDirectories(left.getParent());
        Files.writeString(left, actual);
        assertEquals(text, actual, "see " + left);
    }

    @Test
    void pipedOutputIsPlainText() throws IOException {
        try (Screen screen = Screen.piped(home)) {
            check("piped.txt", screen);
        }
    }

    @Test
    void onATerminalThereIsColour() throws IOException {
        try (Screen screen = Screen.colored(home)) {
            check("terminal.txt", screen);
        }
    }

    /// Every path of keys that the JSON of a command has, with the type of its value.
    @Test
    void keysOfJsonAreStable() throws IOException {
        String name = "json-keys.txt";
        StringBuilder actual = new StringBuilder();
        try (Screen screen = Screen.piped(home)) {
            prepare(screen);
            for (String line : commands(name)) {
                screen.run(line.replace("HOME", home.toString()) + " --format json");
                actual.append(PROMPT).append(line).append('\n');
                JsonKeys.of(screen.out())
                        .forEach(k -> actual.append("  ").append(k).append('\n'));
            }
        }
        compare(name, Files.readString(Golden.resource("shell").resolve(name)), actual.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"piped.txt", "terminal.txt", "json-keys.txt"})
    void everyCommandHasATranscript(String name) throws IOException {
        try (Screen screen = Screen.piped(home)) {
            Set<String> verbs = screen.shell().dispatcher().verbs().stream()
                    .map(Verb::getName)
                    .collect(Collectors.toCollection(TreeSet::new));
            commands(name).forEach(c -> verbs.remove(c.split(" ")[0]));
            assertEquals(Set.of(), verbs);
        }
    }
}
