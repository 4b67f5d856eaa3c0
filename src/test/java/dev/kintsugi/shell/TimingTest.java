package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TimingTest {
    private static final String SAMPLE = "docs/sample/actor";

    @TempDir
    Path scratch;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private Status run(String... lines) {
        try (Shell shell = Shell.on(new Console(new PrintWriter(out), new PrintWriter(err), false, false, 80))) {
            Status status = Status.DONE;
            for (String line : lines) {
                status = shell.run(line);
            }
            return status;
        }
    }

    @Test
    void timingTellsThePartsOfAMergeOnTheErrorStream() {
        Status status = run(
                "set debug timing", "merge --local_dir " + SAMPLE + " --target_dir '" + scratch.resolve("out") + "'");
        assertEquals(Status.DONE, status);
        String told = err.toString();
        for (String part : List.of("timing: merge", "open ", "validate ", "export: write ", "export: publish ")) {
            assertTrue(told.contains(part), part + " in " + told);
        }
        assertTrue(told.lines().anyMatch(l -> l.matches("  export: write +[\\d.]+ s +71\\.2 kB +.*/s")), told);
        assertTrue(told.lines().anyMatch(l -> l.matches("  in all .*CPU .*waited for the disk .*heap .*")), told);
        assertFalse(out.toString().contains("timing:"), out.toString());
    }

    @Test
    void aCommandOfARecipeIsToldAndIsAStepOfTheRecipe() {
        Status status =
                run("set debug timing", "run docs/recipes/quickstart.rsh --set out='" + scratch.resolve("out") + "'");
        assertEquals(Status.DONE, status, err.toString());
        List<String> told = err.toString().lines().toList();
        assertTrue(told.contains("timing: export"), err.toString());
        int whole = told.indexOf("timing: run");
        assertTrue(whole > told.indexOf("timing: export"), err.toString());
        List<String> steps = told.subList(whole, told.size());
        assertTrue(steps.stream().anyMatch(l -> l.startsWith("  export  ")), steps.toString());
    }

    @Test
    void timingIsOffAgainOnceSaidSo() {
        run("set debug timing", "set debug off", "open " + SAMPLE);
        assertFalse(err.toString().contains("timing: open"), err.toString());
    }

    @Test
    void theLevelMayStandBehindDebugWhereverThatStands() {
        Start before = Start.of(List.of("--debug", "timing", "stats", "actor"));
        Start behind = Start.of(List.of("stats", "actor", "--debug=timing"));
        Start plain = Start.of(List.of("stats", "--debug", "actor"));
        assertEquals(List.of("stats", "actor"), before.words());
        assertEquals(before, behind);
        assertEquals(Debug.TIMING, before.debug());
        assertEquals(Debug.ON, plain.debug());
        assertEquals(List.of("stats", "actor"), plain.words());
    }
}
