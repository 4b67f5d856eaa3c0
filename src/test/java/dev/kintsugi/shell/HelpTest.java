package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/// Help begins with examples, and the examples work on the bundled sample.
class HelpTest {
    private static final Path SAMPLE = Path.of("docs", "sample", "actor");

    @TempDir
    Path scratch;

    @Test
    void helpAndTheHelpOptionAreTheSameTextAndBeginWithAnExample() {
        try (Screen screen = Screen.piped()) {
            for (Verb verb : verbs(screen)) {
                String text = screen.done("help " + verb.getName());
                assertEquals(text, screen.done(verb.getName() + " --help"));
                assertEquals(verb.getHelp(), text);
                assertTrue(text.startsWith("    " + verb.getName()), text);
            }
        }
    }

    private static List<Verb> verbs(Screen screen) {
        return screen.shell().dispatcher().verbs();
    }

    /// Each in a shell of its own where the models that examples speak of are open.
    @Test
    void theExamplesOfAllCommandsWork() throws IOException {
        List<String> failed = new ArrayList<>();
        List<Verb> all;
        try (Screen screen = Screen.piped()) {
            all = verbs(screen);
        }
        Files.createDirectories(scratch.resolve("runs"));
        Path merged = scratch.resolve("out/actor-hf");
        try (Screen screen = Screen.piped()) {
            screen.done("open " + SAMPLE + " --as actor; export actor " + merged);
        }
        Files.writeString(scratch.resolve("merge.yml"), """
            merge_method: linear
            models:
              - model: %1$s
                parameters: {weight: 0.5}
              - model: %1$s
                parameters: {weight: 0.5}
            """.formatted(merged));
        for (Verb verb : all) {
            for (String line : verb.example().lines().toList()) {
                Status status = status(verb, line);
                if (status != Status.DONE) {
                    failed.add(line + ": " + status);
                }
            }
        }
        assertEquals(List.of(), failed);
    }

    private Status status(Verb verb, String line) {
        String here = line.replace("runs/", scratch.resolve("runs") + "/")
                .replace("merge.yml", scratch.resolve("merge.yml").toString())
                .replace("again.rsh", scratch.resolve("again.rsh").toString())
                .replace(
                        "out/actor-hf",
                        scratch.resolve(verb.getName().equals("test") ? "out/actor-hf" : "out/" + verb.getName())
                                .toString())
                .replace("open\n", "open " + scratch.resolve("ws"));
        try (Screen screen = Screen.piped()) {
            if (!List.of("open", "run").contains(verb.getName())) {
                for (String name : List.of("actor", "critic", "base")) {
                    screen.done("open " + SAMPLE + " --as " + name);
                }
                screen.done("use actor");
            }
            if (verb.getName().equals("unfuse")) {
                screen.done("fuse linear actor critic --weights 1,1 --as blend");
            }
            if (verb.getName().equals("workspace")) {
                screen.done("workspace save " + scratch.resolve("ws-" + Math.abs(line.hashCode())));
            }
            return screen.run(here);
        }
    }

    @Test
    void everyReportIsJsonWithASchema() {
        List<String> lines = List.of(
                "help",
                "help merge",
                "merge --help",
                "version",
                "history",
                "set",
                "set threads 2",
                "alias",
                "alias ll=tensors",
                "models",
                "use actor",
                "assert tensors == 27",
                "methods",
                "methods ties",
                "suggest actor critic --base base",
                "fuse linear actor critic --weights 1,1 --as blend",
                "unfuse blend",
                "workspace",
                "workspace list",
                "workspace save " + scratch.resolve("ws"),
                "workspace recipe " + scratch.resolve("again.rsh"),
                "export actor " + scratch.resolve("dry") + " --dry-run",
                "export actor " + scratch.resolve("hf"),
                "merge --local_dir " + SAMPLE + " --target_dir " + scratch.resolve("merged"),
                "check docs/recipes/quickstart.rsh",
                "close critic",
                "undo",
                "exit");
        try (Screen screen = Screen.piped()) {
            for (String name : List.of("actor", "critic", "base")) {
                screen.done("open " + SAMPLE + " --as " + name);
            }
            for (String line : lines) {
                String json = screen.done(line + " --format json");
                String schema =
                        JsonMapper.shared().readTree(json).path("schema").asString();
                assertTrue(schema.matches("kintsugi\\.[a-z-]+/\\d+"), line + ": " + json);
            }
        }
    }

    @Test
    void thePagesOfErrorsAreThoseOfTheCodes() {
        List<String> pages = Pattern.compile("^### (K\\d{4}) (.*)$", Pattern.MULTILINE)
                .matcher(ErrorPages.text())
                .results()
                .map(m -> m.group(1) + " " + m.group(2))
                .toList();
        assertEquals(
                Arrays.stream(Code.values())
                        .map(c -> c.name() + " " + c.title())
                        .toList(),
                pages);
    }
}
