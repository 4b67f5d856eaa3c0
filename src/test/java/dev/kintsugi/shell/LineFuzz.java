package dev.kintsugi.shell;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What the shell does with text before it does anything: cutting, binding, escaping. Nothing is run.
public final class LineFuzz implements AutoCloseable {
    private final Shell shell;

    public LineFuzz() {
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        shell = Shell.on(new Console(nowhere, nowhere, false, false, 100));
    }

    /// A line at the prompt.
    public void line(byte[] input) {
        String line = new String(input, StandardCharsets.UTF_8);
        Tokenizer.typed(line);
        assertPlain(Escape.text(line));
        for (List<Tokenizer.Word> command : Tokenizer.commands(line, name -> Optional.of("value of " + name))) {
            for (Tokenizer.Word word : command) {
                String again = Tokenizer.commands(Tokenizer.quote(word.text()), name -> Optional.empty())
                        .getFirst()
                        .getFirst()
                        .text();
                if (!again.equals(word.text())) {
                    throw new IllegalStateException("does not read back: " + word.text());
                }
            }
            Verb verb = shell.dispatcher().verb(command.getFirst().text());
            Binder.bind(verb, command.subList(1, command.size()));
        }
    }

    private static void assertPlain(String shown) {
        if (shown.chars().anyMatch(c -> c < ' ' || c == 0x7f || c == 0x9b)) {
            throw new IllegalStateException("a control character is shown");
        }
    }

    /// The text of a recipe.
    public void recipe(byte[] input) {
        Recipe recipe = Recipe.parse(Path.of("r.rsh"), new String(input, StandardCharsets.UTF_8));
        Map<String, String> values = recipe.values(Map.of());
        for (Recipe.Line line : recipe.lines()) {
            Tokenizer.commands(line.text(), name -> Optional.ofNullable(values.get(name)));
        }
    }

    /// A directory in `scratch` whose `workspace.json` and journal are `input`.
    public void workspace(Path scratch, byte[] input) throws IOException {
        Path file = Files.write(scratch.resolve("workspace.json"), input);
        Files.write(scratch.resolve("journal"), input);
        try (WorkspaceStore store = WorkspaceStore.hold(scratch).orElseThrow()) {
            WorkspaceStore.read(file).ifPresent(s -> WorkspaceState.EMPTY.changeTo(s.state()));
            store.journal(2).forEach(change -> WorkspaceState.EMPTY.changeTo(change.before()));
        }
    }

    @Override
    public void close() {
        shell.close();
    }
}
