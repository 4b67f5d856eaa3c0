package dev.kintsugi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.palantir.javaformat.java.Main;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Every source is as the formatter leaves it; `scripts/format` mends them.
class FormattingTest {
    /// Formats the sources named, or all of them.
    public static void main(String[] arguments) throws IOException {
        List<String> options = new ArrayList<>(List.of("--palantir", "--replace"));
        options.addAll(arguments.length == 0 ? sources() : List.of(arguments));
        StringWriter errors = new StringWriter();
        format(options, errors);
        System.err.print(errors);
        // The formatter's own threads would keep the process for ever.
        System.exit(errors.toString().isEmpty() ? 0 : 1);
    }

    private static String format(List<String> options, StringWriter errors) {
        StringWriter out = new StringWriter();
        try {
            new Main(new PrintWriter(out, true), new PrintWriter(errors, true), InputStream.nullInputStream())
                    .format(options.toArray(String[]::new));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        return out.toString();
    }

    private static List<String> sources() throws IOException {
        try (Stream<Path> all = Files.walk(Path.of("src"))) {
            return all.map(Path::toString)
                    .filter(n -> n.endsWith(".java"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void everySourceIsFormatted() throws IOException {
        List<String> options = new ArrayList<>(List.of("--palantir", "--dry-run"));
        List<String> sources = sources();
        assertTrue(sources.size() > 100, "the sources were found");
        options.addAll(sources);
        StringWriter errors = new StringWriter();
        String unformatted = format(options, errors);
        assertEquals("", errors.toString());
        assertEquals("", unformatted, "run scripts/format");
    }
}
