package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Status;
import java.util.List;
import org.junit.jupiter.api.Test;

/// A path where a command takes a model, when the program runs one command alone.
class PathsAsModelsTest {
    private final Transcript shell = new Transcript();

    @Test
    void aPathIsOpenedUnderItsName() {
        assertEquals(
                List.of("diff", "actor", "actor-2", "--top", "3", "norm.weight"),
                PathsAsModels.open(
                        shell.shell(),
                        List.of("diff", "docs/sample/actor", "docs/sample/actor", "--top", "3", "norm.weight")));
        assertEquals(Status.DONE, shell.run("assert equal actor actor-2").status());
    }

    @Test
    void aRankOfAPathIsARankViewAndThePathIsOpenedOnce() {
        assertEquals(
                List.of("diff", "actor@0", "actor@1", "--top", "3"),
                PathsAsModels.open(
                        shell.shell(), List.of("diff", "docs/sample/actor@0", "docs/sample/actor@1", "--top", "3")));
        assertEquals(1, shell.shell().session().models().size());
    }

    @Test
    void commandsThatLookAtOneTensorTakeAPathToo() {
        for (String command : List.of("show", "heat", "explain")) {
            List<String> words =
                    PathsAsModels.open(shell.shell(), List.of(command, "docs/sample/actor@2", "model.norm.weight"));
            assertEquals(Status.DONE, shell.shell().runWords(words), command);
        }
    }

    @Test
    void wordsOfOtherKindsAndOptionsStayAsTheyAre() {
        for (List<String> words : List.of(
                List.of("open", "docs/sample/actor"),
                List.of("merge", "--local_dir", "docs/sample/actor", "--target_dir", "docs"),
                List.of("validate", "--against", "docs/sample/actor"),
                List.of("nonsense", "docs"),
                List.of("tensors", "model.norm.weight"))) {
            assertEquals(words, PathsAsModels.open(shell.shell(), words));
        }
    }

    @Test
    void aPathThatHoldsNoCheckpointStopsWithItsOwnMessage() {
        PathsAsModels.Stopped stopped = assertThrows(
                PathsAsModels.Stopped.class, () -> PathsAsModels.open(shell.shell(), List.of("info", "docs/recipes")));
        assertEquals(Status.CORRUPT, stopped.status());
        assertTrue(shell.run("models").out().contains("no model is open"));
    }
}
