package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The documents say what the program does: examples are run and compared with what they show.
///
/// In a block marked `console`, `$ scripts/kintsugi …` starts the program and `kintsugi> …` is typed at its
/// prompt; the other lines are what it prints. `out/` stands for a directory of the test's own; times, rates
/// and dates are masked. Run with `-Dkintsugi.documents=update` to write what is printed into the documents.
class DocumentsTest {
    private static final boolean UPDATE = "update".equals(System.getProperty("kintsugi.documents"));
    private static final String START = "$ scripts/kintsugi";
    private static final String PROMPT = "kintsugi> ";

    @TempDir
    Path scratch;

    static Stream<Path> documents() throws IOException {
        try (Stream<Path> docs = Files.walk(Path.of("docs"))) {
            List<Path> all = new ArrayList<>(List.of(Path.of("README.md")));
            docs.filter(p -> p.toString().endsWith(".md")).sorted().forEach(all::add);
            return all.stream();
        }
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyExampleRunsAndPrintsWhatIsShown(Path document) throws IOException {
        String text = Files.readString(document);
        String run = run(text);
        if (UPDATE) {
            if (!masked(text).equals(masked(run))) {
                Files.writeString(document, run);
            }
            return;
        }
        assertEquals(masked(text), masked(run));
    }

    private String run(String text) {
        StringBuilder result = new StringBuilder();
        StringWriter printed = new StringWriter();
        boolean inside = false;
        boolean skipping = false;
        try (Shells shells = new Shells(printed)) {
            for (String line : text.split("(?<=\n)")) {
                boolean fence = line.startsWith("```");
                if (fence) {
                    inside = line.startsWith("```console");
                    skipping = false;
                    result.append(line);
                } else if (inside && (line.startsWith(START) || line.startsWith(PROMPT))) {
                    result.append(line);
                    printed.getBuffer().setLength(0);
                    String command =
                            line.strip().replace(" out/", " " + scratch + "/").replace("=out/", "=" + scratch + "/");
                    if (line.startsWith(START)) {
                        shells.fresh().run(command.substring(START.length()).strip());
                    } else {
                        shells.current().run(command.substring(PROMPT.length()));
                    }
                    result.append(printed.toString().replace(scratch.toString(), "out"));
                    skipping = true;
                } else if (!inside || !skipping) {
                    result.append(line);
                }
            }
        }
        return result.toString();
    }

    /// The shell that lines are typed into; every start is a new one.
    private static final class Shells implements AutoCloseable {
        private final StringWriter printed;
        private Shell shell;

        Shells(StringWriter printed) {
            this.printed = printed;
            this.shell = start();
        }

        private Shell start() {
            PrintWriter writer = new PrintWriter(printed);
            return Shell.on(new Console(writer, writer, false, false, 100));
        }

        Shell fresh() {
            shell.close();
            shell = start();
            return shell;
        }

        Shell current() {
            return shell;
        }

        @Override
        public void close() {
            shell.close();
        }
    }

    private static String masked(String text) {
        return text.replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d", "DATE")
                .replaceAll("\\b\\d+(\\.\\d+)? s\\b", "N s")
                .replaceAll("\\b\\d+(\\.\\d+)? ?[kMGT]?B/s", "N B/s")
                .replaceAll("\\(Java [^)]*\\)", "(Java N)");
    }

    @Test
    void theReferenceOfCommandsIsTheirHelp() throws IOException {
        Path page = Path.of("docs", "reference", "commands.md");
        try (Transcript shell = new Transcript()) {
            String markdown = CommandPages.markdown(shell.shell().dispatcher().verbs());
            if (UPDATE) {
                Files.writeString(page, markdown);
            }
            assertEquals(markdown, Files.readString(page), "run the tests with -Dkintsugi.documents=update");
        }
    }

    @Test
    void everyErrorCodeHasAPageAndExplainPrintsIt() {
        try (Transcript shell = new Transcript()) {
            for (Code code : Code.values()) {
                assertFalse(ErrorPages.page(code).isBlank(), code.name());
                assertTrue(ErrorPages.text().contains("### " + code.name() + " " + code.title() + "\n"), code.name());
                Transcript.Result result = shell.run("explain " + code.name());
                assertTrue(result.out().startsWith(code.name() + "  " + code.title()), result.out());
            }
        }
    }

    @Test
    void everyLinkInTheDocumentsLeadsSomewhere() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path document : documents().toList()) {
            var links = Pattern.compile("\\]\\(([^)#:]+)(#[^)]*)?\\)").matcher(Files.readString(document));
            while (links.find()) {
                Path target = document.resolveSibling(links.group(1));
                if (!Files.exists(target)) {
                    broken.add(document + " -> " + links.group(1));
                }
            }
        }
        assertEquals(List.of(), broken);
    }

    @Test
    void theExamplesOfHelpAreBoundByTheirCommands() {
        try (Transcript shell = new Transcript()) {
            for (Verb verb : shell.shell().dispatcher().verbs()) {
                for (String line : verb.example().lines().toList()) {
                    var words = Tokenizer.commands(line, n -> Optional.of("x"));
                    assertEquals(
                            verb,
                            shell.shell()
                                    .dispatcher()
                                    .verb(words.getFirst().getFirst().text()));
                    Binder.bind(
                            verb, words.getFirst().subList(1, words.getFirst().size()));
                }
            }
        }
    }
}
