package dev.kintsugi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// `docs/reference/dependencies.md` has a row for every artifact that Maven resolves, and for no other.
class DependenciesTest {
    private static final Path PAGE = Path.of("docs", "reference", "dependencies.md");
    private static final Pattern RESOLVED =
            Pattern.compile("(?m)^ +([\\w.-]+:[\\w.-]+):jar:([\\w.-]+):(compile|runtime|test)");
    private static final Pattern ROW =
            Pattern.compile("(?m)^\\| `([\\w.-]+:[\\w.-]+)` \\| ([\\w.-]+) \\| [^|]+ \\| [^|]+ \\|$");
    private static final Pattern PLUGIN = Pattern.compile(
            "<artifactId>((?:maven-[a-z-]+-plugin)|error_prone_core|nullaway|jmh-generator-annprocess)</artifactId>"
                    + "\\s*<version>([^<]+)</version>");

    @DisplayName("what Maven resolves was reviewed, in the version that was reviewed")
    @Test
    void whatMavenResolvesWasReviewed() throws IOException {
        String page = Files.readString(PAGE);
        String resolved = Files.readString(Path.of("target", "dependencies.txt"));
        int tests = page.indexOf("## In the tests");
        TreeMap<String, String> wanted = rows(page.substring(0, tests));
        TreeMap<String, String> reviewedForTests = rows(page.substring(tests));
        reviewedForTests.keySet().removeIf(a -> a.startsWith("com.code-intelligence:"));
        assertFalse(wanted.isEmpty());
        assertEquals(wanted, resolved(resolved, false), "in the program");
        assertEquals(
                reviewedForTests,
                resolved(resolved.replaceAll("(?m)^.*code-intelligence.*$", ""), true),
                "in the tests");
    }

    @DisplayName("the plugins of the build, and Jazzer, are those that were reviewed")
    @Test
    void thePluginsOfTheBuildWereReviewed() throws IOException {
        String page = Files.readString(PAGE);
        String pom = Files.readString(Path.of("pom.xml"));
        Matcher plugin = PLUGIN.matcher(pom);
        int found = 0;
        while (plugin.find()) {
            String version = plugin.group(2).startsWith("$")
                    ? property(pom, plugin.group(2).replaceAll("[${}]", ""))
                    : plugin.group(2);
            assertTrue(page.contains("`" + plugin.group(1) + "` " + version), plugin.group(1) + " " + version);
            found++;
        }
        assertEquals(11, found);
        assertEquals(property(pom, "jazzer.version"), rows(page).get("com.code-intelligence:jazzer"));
    }

    private static String property(String pom, String name) {
        Matcher value = Pattern.compile("<" + Pattern.quote(name) + ">([^<]+)<").matcher(pom);
        return value.find() ? value.group(1) : "no property " + name;
    }

    private static TreeMap<String, String> rows(String page) {
        TreeMap<String, String> rows = new TreeMap<>();
        ROW.matcher(page).results().forEach(r -> rows.put(r.group(1), r.group(2)));
        return rows;
    }

    private static TreeMap<String, String> resolved(String list, boolean forTests) {
        TreeMap<String, String> resolved = new TreeMap<>();
        RESOLVED.matcher(list)
                .results()
                .filter(r -> r.group(3).equals("test") == forTests)
                .forEach(r -> resolved.put(r.group(1), r.group(2)));
        return resolved;
    }
}
