package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ChildJvm;
import dev.kintsugi.shell.WorkspaceStore.Change;
import dev.kintsugi.shell.WorkspaceStore.Saved;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A shell that is killed leaves a workspace that can be read. `-Dkintsugi.kills=100` kills more of them.
@Timeout(3600)
class WorkspaceKillTest {
    private static final long SEED = 20_261_125;

    @TempDir
    Path directory;

    /// The process that is killed, or ends when its parent does: it changes the alias `step` over and over, change 17
    /// making it `help 17`.
    static final class Changing {
        private Changing() {}

        public static void main(String[] arguments) {
            Session session = session();
            session.workspace().begin(Path.of(arguments[0]));
            String filling = "help " + "x".repeat(20_000);
            long step = steps(session);
            Optional<ProcessHandle> parent = ProcessHandle.current().parent();
            while (ProcessHandle.current().parent().equals(parent)) {
                step++;
                session.aliases().put("filling", filling + step);
                session.aliases().put("step", "help " + step);
                session.workspace().noteChange();
                System.out.println(step);
            }
        }
    }

    private static Session session() {
        PrintWriter nothing = new PrintWriter(Writer.nullWriter());
        return Shell.on(new Console(nothing, nothing, false, false, 80), new Places(Map.of(), Path.of("none")))
                .session();
    }

    private static long steps(Session session) {
        String step = session.aliases().getOrDefault("step", "help 0");
        return Long.parseLong(step.substring("help ".length()));
    }

    @DisplayName("I-11 a shell killed at any moment leaves the workspace of its last change, and its journal")
    @Test
    void killedAtAnyMomentTheWorkspaceIsThatOfTheLastChangeOrTheOneBefore() throws Exception {
        Random random = new Random(SEED);
        int kills = Integer.getInteger("kintsugi.kills", 6);
        for (int kill = 0; kill < kills; kill++) {
            String where = "seed " + SEED + ", kill " + kill;
            long printed = printedUntilKilled(random.nextInt(1, 150));
            Saved saved = WorkspaceStore.read(WorkspaceStore.file(directory)).orElseThrow();
            assertEquals("help " + saved.number(), saved.state().aliases().get("step"), where);
            assertTrue(saved.number() >= printed, where + ": " + saved.number() + " after " + printed);
            try (WorkspaceStore store = WorkspaceStore.hold(directory).orElseThrow()) {
                List<Change> journal = store.journal(saved.number());
                assertEquals(saved.number(), journal.getLast().number(), where);
                String before = journal.getLast().before().aliases().getOrDefault("step", "help 0");
                assertEquals("help " + (saved.number() - 1), before, where);
            }
        }
        Session session = session();
        session.workspace().begin(directory);
        long steps = steps(session);
        session.workspace().undo();
        assertEquals(steps - 1, steps(session));
        session.workspace().release();
    }

    private Process start() throws IOException {
        return new ProcessBuilder(new ChildJvm(directory).command(Changing.class.getName(), directory + ""))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /// Kills the process some milliseconds after its first change; the last change that it said it had saved.
    private long printedUntilKilled(int millis) throws Exception {
        Process process = start();
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            long last = Long.parseLong(lines.readLine());
            process.waitFor(millis, TimeUnit.MILLISECONDS);
            process.toHandle().destroyForcibly();
            String line = lines.readLine();
            while (line != null) {
                last = line.isEmpty() ? last : Math.max(last, firstOf(line, last));
                line = lines.readLine();
            }
            process.waitFor();
            return last;
        } finally {
            process.toHandle().destroyForcibly();
        }
    }

    /// A kill may cut the last line short; what is left of it is a smaller number.
    private static long firstOf(String line, long otherwise) {
        return line.chars().allMatch(Character::isDigit) ? Long.parseLong(line) : otherwise;
    }

    @Test
    void aJournalCutShortAtAnyByteGivesTheChangesBeforeTheCut() throws IOException {
        WorkspaceState state = WorkspaceState.EMPTY;
        try (WorkspaceStore store = WorkspaceStore.hold(directory).orElseThrow()) {
            for (long number = 1; number <= 4; number++) {
                store.append(new Change(number, number, "use m" + number, state));
            }
            Path journal = directory.resolve("journal");
            byte[] whole = Files.readAllBytes(journal);
            int most = 0;
            for (int length = 0; length <= whole.length; length++) {
                Files.write(journal, Arrays.copyOf(whole, length));
                int lines = (int) new String(whole, 0, length, StandardCharsets.UTF_8)
                        .lines()
                        .filter(l -> l.endsWith("}}}"))
                        .count();
                assertEquals(lines, store.journal(lines).size(), "cut at " + length);
                store.append(new Change(lines + 1L, 9, "close m", state));
                assertEquals(lines + 1, store.journal(lines + 1L).size(), "appended after a cut at " + length);
                most = Math.max(most, lines);
            }
            assertEquals(4, most);
        }
    }

    @Test
    void aChangeThatOnlyTheJournalHasIsLeftOut() {
        try (WorkspaceStore store = WorkspaceStore.hold(directory).orElseThrow()) {
            store.append(new Change(1, 1, "use a", WorkspaceState.EMPTY));
            store.save(new Saved(1, 1, WorkspaceState.EMPTY));
            store.append(new Change(2, 2, "use b", WorkspaceState.EMPTY));
            assertEquals(
                    List.of("use a"),
                    store.journal(1).stream().map(Change::what).toList());
            store.append(new Change(2, 3, "use c", WorkspaceState.EMPTY));
            assertEquals(
                    List.of("use a", "use c"),
                    store.journal(2).stream().map(Change::what).toList());
            store.append(new Change(4, 3, "use d", WorkspaceState.EMPTY));
            assertEquals(
                    List.of("use d"),
                    store.journal(4).stream().map(Change::what).toList());
        }
    }
}
