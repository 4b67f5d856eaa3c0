package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// mergekit configurations at the prompt.
class FuseFromTest {
    private static final Path ROOT = Golden.resource("fusion/mergekit");

    @TempDir
    Path temporary;

    static Stream<Path> wholeModels() throws IOException {
        try (Stream<Path> files = Files.walk(ROOT.resolve("cases"))) {
            return files
                    .filter(f -> f.endsWith("config.yml"))
                    .filter(f -> read(f).contains("models:"))
                    .filter(f -> !read(f).contains("slices:"))
                    .filter(f -> !f.toString().contains("rows-differ"))
                    .filter(f -> !f.toString().contains("sharded"))
                    .filter(f -> !f.toString().contains("raw-"))
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path config(String text) throws IOException {
        Path file = temporary.resolve("merge.yml");
        Files.writeString(file, text.replace("models/", ROOT.toAbsolutePath() + "/models/"));
        return file;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wholeModels")
    void theRecipeShownMakesTheSameModel(Path file) throws IOException {
        List<String> recipe;
        try (FuseShell shell = new FuseShell()) {
            shell.type("fuse --from " + config(read(file)) + " --as merged");
            recipe = shell.errors()
                    .lines()
                    .filter(l -> l.startsWith("note: recipe: "))
                    .map(l -> l.substring(14))
                    .toList();
            if (recipe.getLast().contains("--from")) {
                assertTrue(file.toString().contains("tied-and-untied"), recipe.getLast());
                return;
            }
            shell.type(recipe.getLast().replace("--as merged", "--as again"));
            shell.type("assert equal merged again");
        }
        try (FuseShell other = new FuseShell()) {
            recipe.forEach(other::type);
        }
    }

    @Test
    void stackedLayersAreExportedWithAConfigThatCountsThem() throws IOException {
        Path file = config(read(ROOT.resolve("cases/qwen2-bf16/passthrough-frankenmerge/config.yml")));
        try (FuseShell shell = FuseShell.of("qwen2-bf16")) {
            shell.type("fuse --from " + file + " --as tower");
            assertEquals(4, shell.shell().session().models().size() - 1);
            shell.type("validate tower");
            shell.type("export tower " + temporary.resolve("out"));
            assertTrue(shell.errors().contains("config.json: num_hidden_layers changed"), shell.errors());
            shell.type("open " + temporary.resolve("out") + " --as read");
            shell.type("validate read");
            shell.type("assert equal read tower");
        }
        assertTrue(Files.readString(temporary.resolve("out/config.json")).contains("\"num_hidden_layers\": 4"));
    }

    @Test
    void rowsAreCutOnlyWhenAsked() throws IOException {
        Path file = config(read(ROOT.resolve("cases/qwen2-bf16/embedding-rows-differ-linear/config.yml")));
        try (FuseShell shell = FuseShell.of("qwen2-bf16")) {
            String refused = shell.fails(Status.REFUSED, "fuse --from " + file + " --as merged");
            assertTrue(refused.contains("K7003") && refused.contains("would lose"), refused);
            assertEquals(4, shell.shell().session().models().size());
            shell.type("fuse --from " + file + " --as merged --crop-vocabulary");
            shell.type("tensors merged");
        }
    }

    @Test
    void unknownKeysAndPathsAreRefusedWithoutATrace() throws IOException {
        try (FuseShell shell = new FuseShell()) {
            Path file = config("""
                merge_method: linear
                models:
                - model: models/llama-fp32/e1
                  parameters: {weight: 1}
                - model: models/llama-fp32/nowhere
                  parameters: {weight: 1}
                """);
            String errors = shell.fails(Status.USAGE, "fuse --from " + file + " --as x");
            assertTrue(errors.contains("K1010") && errors.contains("nowhere"), errors);
            assertTrue(shell.shell().session().models().isEmpty());
            config("merge_method: linear\nmodles: []\n");
            assertTrue(
                    shell.fails(Status.USAGE, "fuse --from " + file + " --as x").contains("K7006"));
        }
    }
}
