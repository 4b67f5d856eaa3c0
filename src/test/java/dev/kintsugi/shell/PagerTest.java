package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PagerTest {
    @TempDir
    Path scratch;

    private final StringWriter out = new StringWriter();

    private Console console(String command) {
        PrintWriter writer = new PrintWriter(out);
        Console console = new Console(writer, writer, true, false, 80);
        console.pager(new Pager(command));
        console.height(5);
        return console;
    }

    @Test
    void onlyWhatIsLongerThanTheScreenIsPaged() throws IOException {
        Path shown = scratch.resolve("shown");
        Console console = console("cat >'" + shown + "'");
        console.print("a\nb\n");
        assertEquals("a\nb\n", out.toString());
        assertFalse(Files.exists(shown));
        console.print("a\nb\nc\nd\ne\n");
        assertEquals("a\nb\n", out.toString());
        assertEquals("a\nb\nc\nd\ne\n", Files.readString(shown));
    }

    @Test
    void aLongLineCountsAsTheLinesItTakes() {
        Console console = console("exit 0");
        console.print("x".repeat(80 * 5) + "\n");
        assertEquals("", out.toString());
    }

    @Test
    void withoutAPagerEverythingIsPrinted() {
        String text = "a\nb\nc\nd\ne\nf\n";
        console("no-such-pager-here").print(text);
        assertEquals(text, out.toString());
    }

    @Test
    void aRecipeIsNotStoppedPageByPage() {
        Console console = console("exit 0");
        try (Console.Unpaged whole = console.unpaged()) {
            console.print("a\nb\nc\nd\ne\nf\n");
        }
        assertTrue(out.toString().endsWith("f\n"));
    }

    @Test
    void thePersonsOwnPagerIsTaken() {
        assertFalse(Pager.of(Map.of("PAGER", "cat")).show("text"));
        assertTrue(Pager.of(Map.of("PAGER", "cat", "KINTSUGI_PAGER", "exit 0")).show("text"));
    }
}
