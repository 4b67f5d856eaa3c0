package dev.kintsugi;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// `docs/reference/safety.md` and the tests agree: every case has a row, every row the tests that are named with it.
class SafetyPageTest {
    private static final Pattern TEST =
            Pattern.compile("@DisplayName\\(\\s*\"((?:[^\"\\\\]|\\\\.)*)\"\\s*\\).*?\\bvoid (\\w+)\\(", Pattern.DOTALL);
    private static final Pattern CASE = Pattern.compile("\\b[PZSIR]-\\d\\d\\b");
    private static final Pattern ROW = Pattern.compile("(?m)^\\| ([PZSIR]-\\d\\d) \\|.*\\| ([^|]*) \\|$");
    private static final Pattern NAME = Pattern.compile("`(\\w+\\.\\w+)`");

    @Test
    void everyCaseHasARowAndEveryRowItsTests() throws IOException {
        TreeMap<String, TreeSet<String>> named = tests();
        TreeMap<String, TreeSet<String>> rows = new TreeMap<>();
        Matcher row = ROW.matcher(Files.readString(Path.of("docs", "reference", "safety.md")));
        while (row.find()) {
            rows.put(row.group(1), new TreeSet<>());
            NAME.matcher(row.group(2))
                    .results()
                    .forEach(n -> rows.get(row.group(1)).add(n.group(1)));
        }
        assertEquals(cases(), rows.keySet());
        for (String id : rows.keySet()) {
            assertEquals(named.get(id), rows.get(id), id);
        }
        long tests = named.values().stream().flatMap(TreeSet::stream).distinct().count();
        System.out.println("safety: " + rows.size() + " cases held by " + tests + " tests");
    }

    private static TreeSet<String> cases() {
        TreeSet<String> cases = new TreeSet<>();
        for (String kind : List.of("P34", "Z14", "S32", "I16", "R15")) {
            for (int number = 1; number <= Integer.parseInt(kind.substring(1)); number++) {
                cases.add(String.format("%s-%02d", kind.substring(0, 1), number));
            }
        }
        cases.remove("R-14");
        return cases;
    }

    private static TreeMap<String, TreeSet<String>> tests() throws IOException {
        TreeMap<String, TreeSet<String>> named = new TreeMap<>();
        try (Stream<Path> files = Files.walk(Path.of("src", "test", "java"))) {
            for (Path file :
                    files.filter(f -> f.toString().endsWith("Test.java")).toList()) {
                String type = String.valueOf(file.getFileName()).replace(".java", "");
                Matcher test = TEST.matcher(Files.readString(file));
                while (test.find()) {
                    CASE.matcher(test.group(1))
                            .results()
                            .forEach(c -> named.computeIfAbsent(c.group(), k -> new TreeSet<>())
                                    .add(type + "." + test.group(2)));
                }
            }
        }
        return named;
    }
}
