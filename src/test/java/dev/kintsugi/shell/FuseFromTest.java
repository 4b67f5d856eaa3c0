package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import dev.kintsugi.numeric.Elements;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

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
                    .filter(f -> !f.toString().contains("multi-stage"))
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

    @ParameterizedTest
    @ValueSource(strings = {"llama-fp32/lora-linear", "qwen2-bf16/lora-linear", "llama-fp32/multi-stage"})
    void adaptersInPathsAndConfigurationsOfStepsAreFollowed(String name) throws IOException {
        Path folder = ROOT.resolve("cases").resolve(name);
        try (FuseShell shell = new FuseShell()) {
            shell.type("fuse --from " + config(read(folder.resolve("config.yml"))) + " --as merged");
            assertTrue(shell.type("validate merged").contains(": valid"));
            shell.type("export merged " + temporary.resolve("out"));
            assertEquals(name.contains("multi") ? 5 : 4, models(shell));
        }
        Map<String, Golden.Values> written = Golden.read(temporary.resolve("out/model.safetensors"));
        Map<String, Golden.Values> expected = Golden.read(folder.resolve("expected.safetensors"));
        assertEquals(expected.keySet(), written.keySet());
        boolean half = name.startsWith("qwen2");
        for (Map.Entry<String, Golden.Values> entry : expected.entrySet()) {
            double[] right = values(entry.getValue());
            double[] ours = values(written.get(entry.getKey()));
            double rms =
                    Math.sqrt(Arrays.stream(right).map(v -> v * v).average().orElse(0));
            for (int i = 0; i < right.length; i++) {
                double spacing = Math.max(Math.abs(right[i]), rms) * (half ? 0x1p-7 : 0x1p-20);
                assertEquals(right[i], ours[i], spacing, entry.getKey() + "[" + i + "]");
            }
        }
    }

    private static int models(FuseShell shell) {
        return shell.shell().session().models().size();
    }

    private static double[] values(Golden.Values values) {
        double[] doubles = new double[(int) values.spec().elementCount()];
        Elements.toDoubles(values.spec().dtype(), MemorySegment.ofArray(values.bytes()), doubles, doubles.length);
        return doubles;
    }

    @Test
    void aDirectoryWithAPlusInItsNameIsNoAdapter() throws IOException {
        Path model = ROOT.resolve("models/llama-fp32/e1");
        Path plus = Files.createDirectories(temporary.resolve("e1+e2"));
        Files.copy(model.resolve("model.safetensors"), plus.resolve("model.safetensors"));
        Path file = temporary.resolve("merge.yml");
        Files.writeString(file, "merge_method: linear\nmodels: [{model: e1+e2, parameters: {weight: 1}}]\n");
        try (FuseShell shell = new FuseShell()) {
            shell.type("fuse --from " + file + " --as same");
            shell.type("open " + model + " --as e1");
            shell.type("assert equal same e1");
        }
    }

    @Test
    void stepsThatNeedThemselvesOrHaveNoResultAreRefused() throws IOException {
        String step = "merge_method: linear\nmodels:\n- {model: models/llama-fp32/e1, parameters: {weight: 1}}\n";
        try (FuseShell shell = new FuseShell()) {
            Path file = config("name: a\n" + step.replace("models/llama-fp32/e1", "b") + "---\nname: b\n"
                    + step.replace("models/llama-fp32/e1", "a") + "---\n"
                    + step.replace("models/llama-fp32/e1", "a"));
            String errors = shell.fails(Status.USAGE, "fuse --from " + file + " --as x");
            assertTrue(errors.contains("made of itself"), errors);
            config("name: a\n" + step + "---\nname: b\n" + step);
            errors = shell.fails(Status.USAGE, "fuse --from " + file + " --as x");
            assertTrue(errors.contains("give all but one a name"), errors);
            config("name: a\n" + step + "---\nname: a\n" + step + "---\n" + step);
            errors = shell.fails(Status.USAGE, "fuse --from " + file + " --as x");
            assertTrue(errors.contains("two configurations are named a"), errors);
            assertEquals(0, models(shell));
        }
    }

    @Test
    void aTokenizersSourceHoldsWhereVocabulariesAgree() throws IOException {
        Path family = ROOT.resolve("models/llama-fp32");
        String merge =
                "merge_method: linear\nbase_model: a\nparameters: {weight: 1}\nmodels: [{model: a}, {model: %s}]\n";
        Path file = temporary.resolve("merge.yml");
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + family.resolve("base") + " --as a --sidecars " + family.resolve("tok-a"));
            shell.type("open " + family.resolve("e1") + " --as b --sidecars " + family.resolve("tok-b"));
            shell.type("open " + family.resolve("e2") + " --as same --sidecars " + family.resolve("tok-a"));
            Path more = Files.createDirectories(temporary.resolve("longer"));
            Files.copy(family.resolve("tok-a/config.json"), more.resolve("config.json"));
            Files.writeString(
                    more.resolve("tokenizer.json"),
                    Files.readString(family.resolve("tok-a/tokenizer.json"))
                            .replaceFirst("\"added_tokens\": \\[", "$0 {\"id\": 40, \"content\": \"<think>\"},"));
            shell.type("open " + family.resolve("e3") + " --as more --sidecars " + more);
            Files.writeString(file, merge.formatted("same") + "tokenizer_source: union\n");
            shell.type("fuse --from " + file + " --as x");
            Files.writeString(file, merge.formatted("more") + "tokenizer: {source: base}\n");
            shell.type("fuse --from " + file + " --as y");
            Files.writeString(file, merge.formatted("more") + "tokenizer: {source: union}\n");
            assertTrue(shell.fails(Status.REFUSED, "fuse --from " + file + " --as z")
                    .contains("1 token of more would be lost: <think>"));
            Files.writeString(file, merge.formatted("b") + "tokenizer_source: base\n");
            assertTrue(shell.fails(Status.REFUSED, "fuse --from " + file + " --as z")
                    .contains("vocabularies of a and b differ"));
        }
    }

    @Test
    void stackedLayersKeepTheTypesOfTheLayersTheyAreMadeOf() throws IOException {
        Path model = Files.createDirectories(temporary.resolve("mixed"));
        Path base = ROOT.resolve("models/qwen2-bf16/base");
        Files.copy(base.resolve("model.safetensors"), model.resolve("model.safetensors"));
        String json = Files.readString(base.resolve("config.json"));
        String types = "[\"full_attention\", \"sliding_attention\", \"chunked_attention\"]";
        Files.writeString(
                model.resolve("config.json"), json.replaceFirst("\\{", "{\n  \"layer_types\": " + types + ","));
        Path file = temporary.resolve("merge.yml");
        Files.writeString(file, """
            merge_method: passthrough
            slices:
            - sources: [{model: mixed, layer_range: [0, 2]}]
            - sources: [{model: mixed, layer_range: [1, 3]}]
            """);
        try (FuseShell shell = new FuseShell()) {
            shell.type("fuse --from " + file + " --as tower");
            shell.type("export tower " + temporary.resolve("out"));
        }
        JsonNode config = JsonMapper.shared().readTree(Files.readString(temporary.resolve("out/config.json")));
        List<String> written = new ArrayList<>();
        config.get("layer_types").forEach(t -> written.add(t.asString()));
        assertEquals(List.of("full_attention", "sliding_attention", "sliding_attention", "chunked_attention"), written);
        assertEquals(4, config.get("num_hidden_layers").asInt());
    }
}
