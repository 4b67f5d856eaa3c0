package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.export.Models;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The shell's own files, written by other hands: a message, never a crash, and no file is lost.
@Timeout(120)
class HostileWorkspaceTest {
    private static final String CTRL_D = "\u0004";
    private static final String SOUND = "{\"schema\":\"kintsugi.workspace/1\",\"change\":3,\"saved_millis\":5,"
            + "\"models\":[],\"settings\":{},\"aliases\":{\"l\":\"tensors\"}}";

    @TempDir
    Path home;

    private Path usual() throws IOException {
        return Files.createDirectories(home.resolve("state/kintsugi/workspace"));
    }

    private static String with(String from, String to) {
        String changed = SOUND.replace(from, to);
        assertFalse(changed.equals(SOUND), from);
        return changed;
    }

    static Stream<Arguments> broken() {
        return Stream.of(
                Arguments.of("empty", ""),
                Arguments.of("cut short", SOUND.substring(0, 60)),
                Arguments.of("no JSON", "models: []"),
                Arguments.of("binary", "\u0000\u0001\uffff\ud83d"),
                Arguments.of("an array", "[" + SOUND + "]"),
                Arguments.of("another schema", with("workspace/1", "workspace/2")),
                Arguments.of("no schema", with("\"schema\":\"kintsugi.workspace/1\",", "")),
                Arguments.of("deep", "[".repeat(100_000)),
                Arguments.of("deep within", with("\"models\":[]", "\"models\":" + "[".repeat(40) + "]".repeat(40))),
                Arguments.of("a text for the models", with("\"models\":[]", "\"models\":\"all\"")),
                Arguments.of("a model without command", with("\"models\":[]", "\"models\":[{\"name\":\"a\"}]")),
                Arguments.of("a fraction of a change", with(":3,", ":3.5,")),
                Arguments.of("changes beyond any", with(":3,", ":99999999999999999999,")),
                Arguments.of("changes at the end of long", with(":3,", ":9223372036854775807,")),
                Arguments.of("changes below none", with(":3,", ":-1,")),
                Arguments.of("a number for a setting", with("\"settings\":{}", "\"settings\":{\"threads\":4}")),
                Arguments.of("null for the aliases", with("{\"l\":\"tensors\"}", "null")));
    }

    @DisplayName("a workspace.json that is none is refused by every command, and stays as it is")
    @ParameterizedTest(name = "{0}")
    @MethodSource("broken")
    void aBrokenWorkspaceIsRefusedAndKept(String how, String text) throws Exception {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Path file = Files.write(usual().resolve("workspace.json"), bytes);
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.CORRUPT, shell.run("workspace open " + usual()), how);
            assertEquals(Status.CORRUPT, shell.run("workspace open " + file), how);
            assertEquals(Status.DONE, shell.run("workspace list"), how);
            assertEquals(Status.DONE, shell.run("alias x=tensors"), how);
            String said = shell.take(home);
            assertTrue(said.contains("K2305"), said);
            assertFalse(said.contains("K9001"), said);
        }
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("what is open is not saved")
                    .sees("kintsugi> ")
                    .types("alias y=info; version\r")
                    .sees("(Java ");
            person.sees("kintsugi> ").types(CTRL_D);
            assertEquals(Status.DONE, person.left());
        }
        assertEquals(-1, Arrays.mismatch(bytes, Files.readAllBytes(file)), "it was written to");
    }

    @DisplayName("limits: bytes of a workspace, at the limit and one past it; the file stays")
    @Test
    void aWorkspaceHasALimit() throws IOException {
        Path file = Files.writeString(usual().resolve("workspace.json"), SOUND);
        try (Typescript shell = new Typescript(home)) {
            shell.run("set limit.workspace-bytes " + SOUND.length());
            assertEquals(Status.DONE, shell.run("workspace open " + file), shell.take(home));
            shell.run("set limit.workspace-bytes " + (SOUND.length() - 1));
            assertEquals(Status.CORRUPT, shell.run("workspace open " + file));
            assertTrue(shell.take(home).contains("the limit is " + (SOUND.length() - 1)));
        } finally {
            Limit.WORKSPACE_BYTES.reset();
        }
        assertEquals(SOUND, Files.readString(file));
    }

    @DisplayName("a workspace of another person's runs nothing but what makes a model")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "export base {victim} --replace",
                "run {victim}/evil.rsh",
                "workspace save {victim} --replace",
                "open x; export base {victim} --replace",
                "exit",
                "ev l",
                "o",
                "'",
                "",
                "opn x"
            })
    void onlyWhatMakesAModelIsRun(String command) throws IOException {
        Path victim = Files.createDirectories(home.resolve("victim"));
        Files.writeString(victim.resolve("evil.rsh"), "alias pwned=tensors\n");
        String line = command.replace("{victim}", victim.toString());
        String text = SOUND.replace(
                        "\"models\":[]",
                        "\"models\":[{\"name\":\"a\\u001b[31m\",\"command\":\"" + line + "\",\"sources\":[]}]")
                .replace("\"l\":\"tensors\"", "\"open\":\"run " + victim + "/evil.rsh\",\"o\":\"open x\"");
        Files.writeString(usual().resolve("workspace.json"), text);
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.CORRUPT, shell.run("workspace open " + usual()));
            String said = shell.take(home);
            assertTrue(said.contains("makes no model"), said);
            assertTrue(said.contains("left out of the workspace: alias open"), said);
            assertFalse(said.contains("\u001b"), said);
            assertFalse(shell.shell().session().aliases().containsKey("pwned"));
            assertFalse(shell.shell().session().isLeaving());
        }
        assertEquals(List.of("evil.rsh"), Models.names(victim));
        assertTrue(Files.readString(usual().resolve("previous.json")).contains("victim"), "it is kept aside");
    }

    @DisplayName("settings and aliases that do not fit are left out with a warning, and the file is kept aside")
    @Test
    void settingsThatDoNotFitAreLeftOut() throws IOException {
        String text = SOUND.replace(
                        "\"settings\":{}",
                        "\"settings\":{\"threads\":\"2\",\"limit.pickles\":\"5\",\"debug\":\"\\u001b\",\"x y\":\"\"}")
                .replace("{\"l\":\"tensors\"}", "{\"l\":\"tensors\",\"a b\":\"info\",\"q1\":\"'\",\"help\":\"exit\"}");
        Files.writeString(usual().resolve("workspace.json"), text);
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.DONE, shell.run("workspace open " + usual()));
            assertEquals(2, shell.shell().session().threads());
            assertEquals("[l]", shell.shell().session().aliases().keySet().toString());
            String said = shell.take(home);
            assertEquals(6, said.split("left out of the workspace", -1).length - 1, said);
            assertFalse(said.contains("\u001b"), said);
            shell.run("set threads 3");
        }
        assertTrue(Files.readString(usual().resolve("previous.json")).contains("limit.pickles"));
    }

    @DisplayName(
            "links, pipes and directories in place of the shell's files: a message, no waiting, nothing written there")
    @Test
    void linksAndPipesAreNotFollowed() throws Exception {
        Path victim = Files.writeString(home.resolve("victim"), "mine");
        for (String name : List.of("workspace.json", "workspace.json.part", "journal", "journal.part", "lock")) {
            for (String kind : List.of("link", "dangling", "pipe", "directory")) {
                Path directory = Files.createDirectories(home.resolve(name + "-" + kind));
                place(directory.resolve(name), kind, victim);
                assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
                    try (Typescript shell = new Typescript(home)) {
                        shell.run("workspace open " + directory);
                        shell.run("workspace save " + directory);
                        shell.run("alias a=tensors");
                        shell.run("alias b=tensors");
                        assertFalse(shell.take(home).contains("K9001"), name + " " + kind);
                    }
                });
                assertEquals("mine", Files.readString(victim), name + " " + kind);
                assertFalse(Files.exists(home.resolve("nowhere")), name + " " + kind);
            }
        }
    }

    private void place(Path file, String kind, Path victim) throws Exception {
        switch (kind) {
            case "link" -> Files.createSymbolicLink(file, victim);
            case "dangling" -> Files.createSymbolicLink(file, home.resolve("nowhere"));
            case "directory" -> Files.createDirectories(file.resolve("full"));
            default ->
                assertEquals(
                        0, new ProcessBuilder("mkfifo", file.toString()).start().waitFor());
        }
    }

    @DisplayName("a history that is none is put aside, one that is no file is let be; the prompt comes up")
    @ParameterizedTest
    @ValueSource(strings = {"binary", "text", "pipe", "directory", "link", "dangling", "sound"})
    void aHostileHistoryIsPutAside(String kind) throws Exception {
        Path file = usual().resolve("history");
        Path victim = Files.writeString(home.resolve("victim"), "mine");
        byte[] content = switch (kind) {
            case "binary" -> new byte[] {(byte) 0xff, 0, 10, 27, 91, 51, 49, 109};
            case "text" -> "no time before the line\n".getBytes(StandardCharsets.US_ASCII);
            default -> "1700000000000:version\n".getBytes(StandardCharsets.US_ASCII);
        };
        if (List.of("binary", "text", "sound").contains(kind)) {
            Files.write(file, content);
        } else {
            place(file, kind, victim);
        }
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ").types("version\r").sees("(Java ").sees("kintsugi> ");
            person.types(CTRL_D);
            assertEquals(Status.DONE, person.left());
            assertFalse(person.screen().contains("Exception"), person.screen());
        }
        if (List.of("binary", "text").contains(kind)) {
            assertEquals(-1, Arrays.mismatch(content, Files.readAllBytes(usual().resolve("history.aside"))));
        }
        if (kind.equals("sound")) {
            assertTrue(Files.readString(file).startsWith("1700000000000:version\n"), Files.readString(file));
        }
        assertTrue(Files.exists(home.resolve("victim")) || Files.exists(usual().resolve("history.aside")));
        assertFalse(Files.exists(home.resolve("nowhere")));
    }

    @DisplayName("a journal that is none is put aside at the first change")
    @ParameterizedTest
    @ValueSource(strings = {"\u0000\u0001\u0002\u0003", "one\ntwo\n", "{}\n[]\n", "[[[[\n{\"change\":1}\n"})
    void aHostileJournalIsPutAside(String text) throws IOException {
        Files.writeString(usual().resolve("workspace.json"), SOUND);
        Files.writeString(usual().resolve("journal"), text);
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.DONE, shell.run("workspace open " + usual()), shell.take(home));
            assertEquals(Status.DONE, shell.run("set threads 2"));
            assertEquals(Status.DONE, shell.run("undo"), shell.take(home));
        }
        assertEquals(text, Files.readString(usual().resolve("journal.aside")));
    }

    @DisplayName("a list of workspaces that cannot be read stays as it is")
    @Test
    void aHostileListOfWorkspacesIsLetBe() throws Exception {
        Path list = Files.createDirectories(home.resolve("state/kintsugi")).resolve("workspaces");
        for (byte[] bytes :
                List.of(new byte[] {(byte) 0xff, (byte) 0xfe}, "a\u0000b\n".getBytes(StandardCharsets.UTF_8))) {
            Files.write(list, bytes);
            try (Typescript shell = new Typescript(home)) {
                assertEquals(Status.DONE, shell.run("workspace list"));
                assertEquals(Status.DONE, shell.run("workspace save " + home.resolve("w" + bytes.length)));
            }
            assertEquals(-1, Arrays.mismatch(bytes, Files.readAllBytes(list)));
        }
        Files.delete(list);
        place(list, "pipe", list);
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            try (Typescript shell = new Typescript(home)) {
                assertEquals(Status.DONE, shell.run("workspace list"));
            }
        });
    }

    @DisplayName("an init file that is no recipe is refused with a message, and the prompt comes up")
    @ParameterizedTest
    @ValueSource(strings = {"binary", "unknown", "endless", "huge", "leaves", "pipe", "directory"})
    void aHostileInitFileEndsInAPrompt(String kind) throws Exception {
        Path init = Files.createDirectories(home.resolve("config/kintsugi")).resolve("init.rsh");
        switch (kind) {
            case "binary" -> Files.write(init, new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
            case "unknown" -> Files.writeString(init, "no-such-command\n");
            case "endless" -> Files.writeString(init, "run " + init + "\n");
            case "huge" -> Files.write(init, new byte[(int) Limit.RECIPE_BYTES.value() + 1]);
            case "leaves" -> Files.writeString(init, "version 'unclosed\n");
            default -> place(init, kind, init);
        }
        try (Typist person = Typist.at(home, List.of())) {
            boolean said = !List.of("pipe", "directory").contains(kind);
            if (said) {
                person.sees("error[K");
            }
            person.sees("kintsugi> ")
                    .types("version\r")
                    .sees("(Java ")
                    .sees("kintsugi> ")
                    .types(CTRL_D);
            assertEquals(Status.DONE, person.left());
            assertFalse(person.screen().contains("K9001"), person.screen());
        }
    }
}
