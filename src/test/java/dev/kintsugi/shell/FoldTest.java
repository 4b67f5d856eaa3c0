package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FoldTest {
    @Test
    void linesGoOnBelowTheTextOfTheirLastColumn() {
        assertEquals(
                List.of("  why: the file was cut", "       short or is still", "       being written"),
                Fold.line("  why: the file was cut short or is still being written", 24));
        assertEquals(
                List.of("  tied  lm_head.weight =", "        embed.weight"),
                Fold.line("  tied  lm_head.weight = embed.weight", 26));
        assertEquals(List.of("one two", "  three"), Fold.line("one two three", 8));
        assertEquals(List.of("short"), Fold.line("short", 8));
    }

    @Test
    void aWordThatIsTooLongStaysWhole() {
        assertEquals(List.of("look in", "  /a/very/long/path"), Fold.line("look in /a/very/long/path", 10));
    }

    @Test
    void cellsBreakBehindTheDotsOfNames() {
        assertEquals(List.of("model.layers.0.", "  up_proj.weight"), Fold.cell("model.layers.0.up_proj.weight", 18));
    }

    @Test
    void nothingIsLostAndNothingIsTooWide() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int run = 0; run < 1000; run++) {
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(120);
            while (text.length() < length) {
                text.append("ab.c_d é/".charAt(random.nextInt(9)));
            }
            int width = 12 + random.nextInt(30);
            List<String> pieces = Fold.cell(text.toString(), width);
            assertTrue(pieces.stream().allMatch(p -> Fold.columns(p) <= width), "seed " + seed + ": " + pieces);
            assertEquals(
                    text.toString().replace(" ", ""), String.join("", pieces).replace(" ", ""), "seed " + seed);
            assertEquals(
                    text.toString().replace(" ", ""),
                    String.join("", Fold.line(text.toString(), width)).replace(" ", ""),
                    "seed " + seed);
        }
    }
}
