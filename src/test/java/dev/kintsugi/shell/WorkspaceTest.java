package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class WorkspaceTest {
    @TempDir
    Path home;

    private Path actor;
    private Path base;
    private Path directory;

    @BeforeEach
    void copy() throws IOException {
        actor = home.resolve("actor");
        base = home.resolve("base");
        directory = home.resolve("ws");
        Fixtures.copy("fsdp/fsdp2_4/ckpt", actor);
        Fixtures.copy("fsdp/hsdp_2x2/ckpt", base);
    }

    /// A shell of the usual contents, saved in `directory`.
    private void make() {
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace save " + directory);
            shell.run("open " + actor + " --as actor --sidecars " + actor.resolve("huggingface"));
            shell.run("open " + base);
            shell.run("use base");
            shell.run("set threads 2");
            shell.run("alias ll='tensors --all'");
        }
    }

    @Test
    void aWorkspaceIsShownListedAndOpenedAgain() {
        make();
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.DONE, shell.run("workspace open " + directory));
            shell.run("workspace");
            shell.run("ll **.norm.weight");
            shell.run("undo; undo; undo; undo");
            shell.run("workspace");
            assertEquals("""
                > workspace open …/ws
                note: ignored: extra_state_world_size_4_rank_*.pt ×4, optim_world_size_4_rank_*.pt ×4
                model  state   files         made by
                actor  open    as they were  open …/actor --as actor --sidecars …/actor/huggingface
                base   in use  as they were  open …/base --as base
                > workspace
                workspace …/ws, saved after each change
                  set threads 2
                  alias ll='tensors --all'
                model  state   files         made by
                actor  open    as they were  open …/actor --as actor --sidecars …/actor/huggingface
                base   in use  as they were  open …/base --as base
                > ll **.norm.weight
                tensor             dtype  shape  bytes
                model.norm.weight  BF16   [48]    96 B
                1 of 27 tensors, 48 parameters, 96 B
                > undo; undo; undo; undo
                taken back: alias ll
                taken back: set threads 2
                taken back: use base
                taken back: open base
                > workspace
                workspace …/ws, saved after each change
                model  state  files         made by
                actor  open   as they were  open …/actor --as actor --sidecars …/actor/huggingface
                """, shell.take(home));
        }
    }

    @Test
    void changedAndVanishedFilesAreNamedAndWhatCannotBeOpenedStays() throws IOException {
        make();
        Files.move(actor.resolve("model_world_size_4_rank_2.pt"), home.resolve("elsewhere"));
        Path config = base.resolve("huggingface/config.json");
        Files.writeString(config, Files.readString(config) + "\n");
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.CORRUPT, shell.run("workspace open " + directory));
            assertEquals("""
                > workspace open …/ws
                warning: actor: …/actor/model_world_size_4_rank_2.pt is gone
                error[K3001]: world size 4, have ranks 0-1, 3, missing 2; model.embed_tokens.weight: the pieces hold 6912 of 9216 elements of [288, 32]
                  why: those ranks were written on another host, or were not copied
                  try: copy them here, open several directories at once (open DIR DIR …), or look at the rest with: open … --allow-missing
                warning: base: …/base/huggingface/config.json has changed: it had 779 bytes and has 780
                model  state     files           made by
                base   in use    as they were    open …/base --as base
                actor  not open  1 of 5 changed  open …/actor --as actor --sidecars …/actor/huggingface

                what is not open is opened with: workspace open
                """, shell.take(home));
            shell.run("set threads 3");
        }
        Files.move(home.resolve("elsewhere"), actor.resolve("model_world_size_4_rank_2.pt"));
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.DONE, shell.run("workspace open " + directory), "rank 2 is back");
            assertEquals(2, shell.shell().session().models().size());
            shell.run("close actor; undo");
            assertTrue(shell.shell().session().models().containsKey("actor"));
        }
    }

    @Test
    void anAbsentModelIsForgottenWhenItIsClosedOrReplaced() throws IOException {
        make();
        Files.delete(actor.resolve("model_world_size_4_rank_2.pt"));
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace open " + directory);
            assertEquals(1, shell.workspace().absent().size());
            assertEquals(Status.DONE, shell.run("close actor"));
            assertEquals(1, shell.workspace().state().models().size());
            shell.run("undo");
            shell.run("open " + actor + " --as actor --allow-missing");
            shell.run("close actor");
            assertEquals(List.of(), shell.workspace().absent());
        }
    }

    @Test
    void closeIsTakenBack() {
        try (Typescript shell = new Typescript(home)) {
            shell.run("open " + actor);
            shell.run("open " + base);
            shell.run("use actor");
            shell.run("close actor base");
            WorkspaceState closed = shell.workspace().state();
            assertEquals(WorkspaceState.EMPTY, closed);
            assertEquals("taken back: close actor, close base\n", last(shell.printed("undo")));
            assertEquals(Optional.of("actor"), shell.shell().session().current());
            assertEquals(2, shell.shell().session().models().size());
            shell.take(home);
            shell.run("undo; undo; undo");
            shell.run("undo");
            assertEquals("""
                > undo; undo; undo
                taken back: use actor
                taken back: open base
                taken back: open actor
                > undo
                error[K1003]: there is nothing to take back
                  why: nothing was opened, closed or set
                  try: see what there is: workspace
                """, shell.take(home));
        }
    }

    private static String last(String text) {
        return text.substring(text.stripTrailing().lastIndexOf('\n') + 1);
    }

    @Test
    void whatWasOpenIsPutAsideWhenSomethingElseIsOpenedFirst() {
        try (Typescript shell = new Typescript(home)) {
            shell.workspace().begin(directory);
            shell.run("open " + actor);
        }
        try (Typescript shell = new Typescript(home)) {
            shell.workspace().begin(directory);
            assertEquals(
                    Optional.of("actor was open; open again with: workspace open"),
                    WorkspaceSheets.offer(shell.workspace().offered()));
            shell.run("open " + base);
            shell.run("undo");
            assertTrue(shell.shell().session().models().isEmpty());
            shell.run("open " + base);
        }
        try (Typescript shell = new Typescript(home)) {
            shell.workspace().begin(directory);
            assertEquals("base", shell.workspace().offered().getFirst().name());
            shell.run("workspace open " + directory.resolve("previous.json"));
            assertEquals(
                    List.of("actor"),
                    List.copyOf(shell.shell().session().models().keySet()));
        }
        try (Typescript shell = new Typescript(home)) {
            shell.workspace().begin(directory);
            assertEquals("actor", shell.workspace().offered().getFirst().name());
            shell.run("open " + base);
            shell.run("workspace open");
            assertEquals(
                    List.of("base", "actor"),
                    List.copyOf(shell.shell().session().models().keySet()));
        }
    }

    @Test
    void theRecipeOfAWorkspaceMakesItAgain() throws IOException {
        make();
        Path recipe = home.resolve("again.rsh");
        WorkspaceState before;
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace open " + directory);
            shell.take(home);
            shell.run("workspace recipe " + recipe);
            shell.run("workspace recipe " + recipe);
            assertEquals("""
                > workspace recipe …/again.rsh
                wrote 5 commands to …/again.rsh; run them with: run …/again.rsh
                > workspace recipe …/again.rsh
                error[K4003]: …/again.rsh exists
                  why: nothing is overwritten unasked
                  try: name another, or say --replace
                """, shell.take(home));
            before = shell.workspace().state();
        }
        assertEquals("""
            # Makes a workspace again: its settings, aliases and models.
            set threads 2
            alias ll='tensors --all'
            open …/actor --as actor --sidecars …/actor/huggingface
            open …/base --as base
            use base
            """, Files.readString(recipe).replace(home.toString(), "…"));
        try (Typescript shell = new Typescript(home)) {
            assertEquals(Status.DONE, shell.run("check " + recipe));
            assertEquals(Status.DONE, shell.run("run " + recipe));
            assertEquals(before, shell.workspace().state());
        }
    }

    @Test
    void oneCommandTouchesNoWorkspaceUnlessItIsGivenOne() {
        try (Typescript shell = new Typescript(home)) {
            Main.command(shell.shell(), Start.of(List.of("open", base.toString())));
        }
        assertFalse(Files.exists(home.resolve("state")));
        String given = "--workspace=" + directory;
        try (Typescript shell = new Typescript(home)) {
            Main.command(shell.shell(), Start.of(List.of(given, "open", base.toString())));
        }
        try (Typescript shell = new Typescript(home)) {
            Start start = Start.of(List.of(given, "assert", "tensors", "==", "27", "base"));
            assertEquals(Status.DONE, Main.command(shell.shell(), start));
            assertEquals("holds: tensors == 27 base\n", shell.take(home), "only what the command prints");
        }
    }

    @Test
    void twoShellsDoNotSaveToOneWorkspace() {
        make();
        try (Typescript first = new Typescript(home);
                Typescript second = new Typescript(home)) {
            first.run("workspace open " + directory);
            second.run("open " + base + " --as kept");
            second.take(home);
            assertEquals(Status.IO, second.run("workspace open " + directory));
            assertEquals("""
                > workspace open …/ws
                error[K5002]: …/ws: another shell uses this workspace
                  why: one shell at a time saves to it
                  try: leave the other, or save to a directory of your own: workspace save DIR
                """, second.take(home));
            assertTrue(second.shell().session().models().containsKey("kept"), "nothing was closed");
        }
    }

    @Test
    void savingAgainAndOpeningByAnotherNameKeepHoldOfTheDirectory() throws IOException {
        make();
        Path link = Files.createSymbolicLink(home.resolve("link"), directory);
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace open " + directory);
            assertEquals(Status.DONE, shell.run("workspace save"));
            assertEquals(Status.DONE, shell.run("workspace save " + directory));
            assertEquals(Status.DONE, shell.run("workspace open " + link));
            shell.run("set threads 5");
            try (Typescript other = new Typescript(home)) {
                assertEquals(Status.IO, other.run("workspace open " + directory));
            }
        }
        String saved = Files.readString(directory.resolve("workspace.json"));
        assertTrue(saved.contains("\"threads\" : \"5\""), saved);
    }

    @Test
    void aDamagedWorkspaceIsRefusedAndLeftAlone() throws IOException {
        make();
        String whole = Files.readString(directory.resolve("workspace.json"));
        for (String damaged :
                List.of("", "[]", "{}", whole.substring(0, whole.length() / 2), whole.replace("/1", "/2"))) {
            Files.writeString(directory.resolve("workspace.json"), damaged);
            try (Typescript shell = new Typescript(home)) {
                assertEquals(Status.CORRUPT, shell.run("workspace open " + directory), damaged);
                assertEquals(Status.REFUSED, shell.run("workspace save " + directory));
            }
            assertEquals(damaged, Files.readString(directory.resolve("workspace.json")));
        }
    }

    @Test
    void pathsAreKeptSoThatTheyMeanTheSameFromEveryDirectory() {
        try (Typescript shell = new Typescript(home)) {
            Commands commands = new Commands(shell.shell().dispatcher());
            String here = Path.of("").toAbsolutePath().toString();
            assertEquals(
                    "open " + Tokenizer.quote(here + "/src") + " " + Tokenizer.quote(here + "/docs") + " --as a "
                            + Tokenizer.quote("--sidecars=" + here + "/src") + " --mesh 2x2",
                    commands.absolute("open src ./docs --as a --sidecars=src --mesh 2x2"));
            assertEquals("use src", commands.absolute("use src"));
            assertEquals("'no such' src", commands.absolute("'no such' src"));
        }
    }

    @Test
    void theReportOfAWorkspaceHasStableKeys() {
        make();
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace open " + directory);
            String json = shell.printed("workspace --format json");
            JsonNode root = JsonMapper.shared().readTree(json);
            assertEquals(
                    List.of("schema", "directory", "use", "settings", "aliases", "models"),
                    List.copyOf(root.propertyNames()));
            assertEquals("kintsugi.workspace/1", root.get("schema").asString());
            assertEquals(
                    List.of("model", "state", "files", "command"),
                    List.copyOf(root.get("models").get(0).propertyNames()));
            assertEquals(
                    "workspace,models,saved_millis,state",
                    shell.printed("workspace list --format csv")
                            .lines()
                            .findFirst()
                            .orElse(""));
        }
    }

    @DisplayName("R-15 what may hold a secret is not saved with a workspace")
    @Test
    void whatMayHoldASecretIsNotSaved() throws IOException {
        try (Typescript shell = new Typescript(home)) {
            shell.run("workspace save " + directory);
            shell.run("alias hub='help my-token-123'");
            shell.run("alias plain='help export'");
            shell.run("alias other='help open'; undo");
            assertEquals(Status.DONE, shell.run("alias hub"), "an undo does not lose it");
        }
        String saved =
                Files.readString(directory.resolve("workspace.json")) + Files.readString(directory.resolve("journal"));
        assertFalse(saved.contains("my-token-123"), saved);
        assertTrue(saved.contains("help export"), saved);
    }
}
