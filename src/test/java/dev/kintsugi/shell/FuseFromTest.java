package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import dev.kintsugi.numeric.Elements;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
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

    @Test
    void whatDtypeTheBaseOfAnAdapterIsStoredInDoesNotMatter() {
        try (FuseShell shell = FuseShell.of("qwen2-bf16")) {
            shell.type("open " + ROOT.resolve("models/qwen2-bf16/lora") + " --as lora");
            shell.type("export base " + temporary.resolve("wide") + " --dtype f32");
            shell.type("open " + temporary.resolve("wide") + " --as wide");
            shell.type("fuse linear base+lora e1 --as narrow");
            shell.type("fuse linear wide+lora e1 --dtype bf16 --as exact");
            shell.type("assert equal narrow exact");
            shell.type("fuse linear base+lora --as merged");
            shell.type("fuse linear wide+lora --dtype bf16 --as again");
            shell.type("assert equal merged again");
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
    void stacksOfALanguageModelWithinALargerOneAreCountedInItsOwnConfiguration() throws IOException {
        Path base = ROOT.resolve("models/qwen2-bf16/base");
        Path model = Files.createDirectories(temporary.resolve("sees"));
        String text = Files.readString(base.resolve("config.json"));
        Files.writeString(
                model.resolve("config.json"),
                "{\n  \"model_type\": \"sees\",\n  \"vision_config\": {\"num_hidden_layers\": 2},\n  \"text_config\": "
                        + text.replaceFirst(
                                "\\{", "{\n  \"layer_types\": [\"a\", \"b\", \"c\"],\n  \"mlp_only_layers\": [1],")
                        + "\n}\n");
        Map<String, Golden.Values> tensors = new LinkedHashMap<>();
        Golden.read(base.resolve("model.safetensors")).forEach((name, values) -> {
            tensors.put(name.replace("model.", "model.language_model."), values);
            if (name.contains("layers.0.mlp") || name.contains("layers.1.mlp")) {
                tensors.put(name.replace("model.layers", "model.visual.blocks"), values);
            }
        });
        write(model.resolve("model.safetensors"), tensors);
        Path file = temporary.resolve("merge.yml");
        Files.writeString(file, """
            merge_method: passthrough
            slices:
            - sources: [{model: sees, layer_range: [0, 2]}]
            - sources: [{model: sees, layer_range: [1, 3]}]
            """);
        try (FuseShell shell = new FuseShell()) {
            shell.type("fuse --from " + file + " --as tower");
            shell.type("export tower " + temporary.resolve("out") + " --keys as-is");
        }
        JsonNode config = JsonMapper.shared().readTree(Files.readString(temporary.resolve("out/config.json")));
        assertEquals(4, config.at("/text_config/num_hidden_layers").asInt());
        assertEquals(
                "[\"a\",\"b\",\"b\",\"c\"]",
                config.at("/text_config/layer_types").toString());
        assertEquals("[1,2]", config.at("/text_config/mlp_only_layers").toString());
        assertEquals(2, config.at("/vision_config/num_hidden_layers").asInt());
        assertFalse(config.has("num_hidden_layers"));
        Map<String, Golden.Values> written = Golden.read(temporary.resolve("out/model.safetensors"));
        long blocks =
                written.keySet().stream().filter(n -> n.contains("visual")).count();
        assertEquals(6, blocks, "what sees is taken whole, once");
        assertTrue(written.containsKey("model.language_model.layers.3.mlp.up_proj.weight"));
        assertTrue(Arrays.equals(
                tensors.get("model.visual.blocks.1.mlp.up_proj.weight").bytes(),
                written.get("model.visual.blocks.1.mlp.up_proj.weight").bytes()));
    }

    private static void write(Path file, Map<String, Golden.Values> tensors) throws IOException {
        StringBuilder header = new StringBuilder("{");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (Map.Entry<String, Golden.Values> entry : tensors.entrySet()) {
            int from = bytes.size();
            bytes.write(entry.getValue().bytes());
            header.append(header.length() > 1 ? "," : "")
                    .append("\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                            .formatted(
                                    entry.getKey(),
                                    entry.getValue().spec().dtype(),
                                    Arrays.toString(
                                            entry.getValue().spec().shape().toArray()),
                                    from,
                                    bytes.size()));
        }
        byte[] head = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
        ByteBuffer buffer = ByteBuffer.allocate(8 + head.length + bytes.size()).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(head.length).put(head).put(bytes.toByteArray());
        Files.write(file, buffer.array());
    }

    @Test
    void attentionOfAConfigurationKnowsTheSizeOfAHead() throws IOException {
        String models = "[{model: models/llama-fp32/e1}, {model: models/llama-fp32/e2}, {model: models/llama-fp32/e3}]";
        Path file = config("merge_method: attention\nbase_model: models/llama-fp32/base\nmodels: " + models + "\n");
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse attention e1 e2 e3 --base base --as typed");
            shell.type("fuse --from " + file + " --as read");
            shell.type("assert equal typed read");
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
