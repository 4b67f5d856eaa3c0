package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The prompt as a person meets it: keys go in, what a terminal shows comes out.
@Timeout(60)
class PromptTest {
    private static final String OPEN = "open src/test/resources/fsdp/fsdp2_4/ckpt --as actor";
    private static final String TAB = "\t";
    private static final String CTRL_C = "\u0003";
    private static final String CTRL_D = "\u0004";
    private static final String CTRL_U = "\u0015";
    private static final String UP = "\u001b[A";

    @TempDir
    Path home;

    @Test
    void tabCompletesCommandsOptionsModelsAndTensorNames() throws Exception {
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ");
            person.types("placem" + TAB).sees("placements ").types(CTRL_U);
            person.types(OPEN + "\r").sees("complete").sees("kintsugi> ");
            person.types("validate --aga" + TAB)
                    .sees("--against ")
                    .types("act" + TAB)
                    .sees("actor ")
                    .types(CTRL_U);
            person.types("tensors actor@" + TAB).sees("actor@2").types(CTRL_U);
            person.types("explain actor model.no" + TAB)
                    .sees("model.norm.")
                    .types(TAB)
                    .sees("weight ");
            person.types("\r").sees("BF16 [32], DTensor").sees("kintsugi> ");
            person.types("explain actor lay" + TAB)
                    .sees("layers.")
                    .types("0.mlp.up" + TAB)
                    .sees("0.mlp.up_proj.")
                    .types(TAB)
                    .sees("weight ");
            person.types("\r").sees("BF16 [56, 32], DTensor").sees("kintsugi> ");
            person.types("workspace li" + TAB).sees("list ").types(CTRL_U);
            person.types(CTRL_D);
            assertEquals(Status.DONE, person.left());
        }
    }

    @Test
    void ctrlCAtAnEmptyPromptSaysHowToLeaveAndElseDropsTheLine() throws Exception {
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ")
                    .types(CTRL_C)
                    .sees("note: Ctrl-D or exit leaves")
                    .sees("kintsugi> ");
            person.types("opne")
                    .sees("opne")
                    .types(CTRL_C)
                    .sees("kintsugi> ")
                    .types("version\r")
                    .sees("(Java ");
            person.sees("kintsugi> ").types("exit\r");
            assertEquals(Status.DONE, person.left());
            assertFalse(person.screen().contains("K1001"), "the dropped line did not run");
        }
    }

    @Test
    void ctrlCCancelsTheCommandThatRunsAndThoseBehindItAndKeepsTheShell() throws Exception {
        CountDownLatch working = new CountDownLatch(1);
        try (Typist person = Typist.at(home, List.of())) {
            person.shell().dispatcher().add(new Endless(person.shell().session(), working));
            person.sees("kintsugi> ").types("endless; version\r");
            working.await();
            person.types(CTRL_C).sees("error[K9002]").sees("kintsugi> ");
            assertFalse(person.screen().contains("(Java "), "the command behind it did not run");
            person.types("version\r").sees("(Java ").sees("kintsugi> ").types(CTRL_D);
            assertEquals(Status.DONE, person.left());
        }
    }

    /// A command that ends when it is cancelled.
    private static final class Endless extends Verb {
        private final CountDownLatch working;

        Endless(Session session, CountDownLatch working) {
            super(session, "endless", "shell", "Runs until it is cancelled", "endless", List.of());
            this.working = working;
        }

        @Override
        Status run(Invocation call) {
            return session().work("endless", job -> {
                working.countDown();
                while (true) {
                    job.check();
                    Thread.onSpinWait();
                }
            });
        }
    }

    @DisplayName("R-15 history and what was open are there at the next start, lines with secrets are not")
    @Test
    void historyAndWhatWasOpenAreThereAtTheNextStart() throws Exception {
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ").types(OPEN + "\r").sees("complete").sees("kintsugi> ");
            person.types("use actor\r").sees("kintsugi> ");
            person.types("set password x\r").sees("K1003").sees("kintsugi> ").types(CTRL_D);
            person.left();
        }
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("note: actor was open; open again with: workspace open").sees("kintsugi> ");
            person.types(UP).sees("use actor").types(UP).sees("--as actor").types(CTRL_U);
            person.types("workspace open\r").sees("in use").sees("kintsugi> ");
            person.types("history\r")
                    .sees("use actor")
                    .sees("workspace open")
                    .sees("kintsugi> ")
                    .types(CTRL_D);
            person.left();
            assertFalse(person.screen().contains("password"), "what may hold a secret is not kept");
        }
        String history = Files.readString(home.resolve("state/kintsugi/workspace/history"));
        assertFalse(history.contains("password"), history);
    }

    @Test
    void theInitFileRunsFirstUnlessItIsDeclined() throws Exception {
        Path init = home.resolve("config/kintsugi/init.rsh");
        Files.createDirectories(init.getParent());
        Files.writeString(init, "alias ll='tensors --all'\nset threads 3\n");
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ")
                    .types("alias\r")
                    .sees("ll    tensors --all")
                    .sees("kintsugi> ")
                    .types(CTRL_D);
            person.left();
            assertEquals(3, person.shell().session().threads());
            assertEquals(
                    WorkspaceState.EMPTY, person.shell().session().workspace().state());
        }
        try (Typist person = Typist.at(home, List.of("--no-init"))) {
            person.sees("kintsugi> ").types(CTRL_D);
            person.left();
            assertTrue(person.shell().session().aliases().isEmpty());
        }
    }

    @Test
    void aSecondShellSaysThatItDoesNotSave() throws Exception {
        try (Typist first = Typist.at(home, List.of())) {
            first.sees("kintsugi> ");
            try (Typist second = Typist.at(home, List.of())) {
                second.sees("another shell uses").sees("kintsugi> ").types(CTRL_D);
                second.left();
            }
            first.types(CTRL_D);
            first.left();
        }
    }

    @Test
    void aGivenWorkspaceIsOpenedAtOnce() throws Exception {
        Path directory = home.resolve("ws");
        for (String shown : List.of("saved 0 models", "in use")) {
            try (Typist person = Typist.at(home, List.of("--workspace", directory.toString()))) {
                person.sees(shown).sees("kintsugi> ");
                if (shown.startsWith("saved")) {
                    person.types(OPEN + "; use actor\r").sees("complete").sees("kintsugi> ");
                }
                person.types(CTRL_D);
                person.left();
            }
        }
        assertTrue(Files.exists(directory.resolve("history")));
        assertFalse(Files.exists(home.resolve("state/kintsugi/workspace")));
    }

    @Test
    void widthFollowsTheTerminal() throws Exception {
        try (Typist person = Typist.at(home, List.of())) {
            person.sees("kintsugi> ");
            person.resize(132);
            person.types("version\r").sees("(Java ").sees("kintsugi> ");
            assertEquals(132, person.shell().session().console().width());
            person.types(CTRL_D);
            person.left();
        }
    }
}
