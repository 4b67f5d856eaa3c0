package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Attention fusions made by a float64 reference.
class AttentionFixturesTest {
    private static final Path ROOT = Golden.resource("fusion/attention");

    static Stream<JsonNode> cases() throws IOException {
        List<JsonNode> cases = new ArrayList<>();
        JsonMapper.shared()
                .readTree(Files.readString(ROOT.resolve("cases.json")))
                .get("cases")
                .forEach(cases::add);
        return cases.stream();
    }

    /// The tensors of `file` whose name begins with `prefix`, without it; a lone tensor is named `w`.
    private static StateDict part(Map<String, Golden.Values> file, String prefix) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        file.forEach((name, values) -> {
            if (name.equals(prefix)) {
                tensors.put("w", Fixtures.tensor(values));
            } else if (name.startsWith(prefix + ".") && !name.equals("fused.f64")) {
                tensors.put(name.substring(prefix.length() + 1), Fixtures.tensor(values));
            }
        });
        return StateDict.of(tensors);
    }

    private static Map<String, Setting> options(JsonNode c) {
        Map<String, Setting> options = new LinkedHashMap<>();
        c.get("parameters").forEachEntry((name, value) -> {
            if (!name.equals("weights") && !name.equals("scales")) {
                options.put(name, Setting.parse(value.asString()));
            }
        });
        if (c.has("config")) {
            options.put("head_dim", Setting.of(c.get("config").get("head_dim").asInt()));
        }
        return options;
    }

    private static Input input(JsonNode c, int i, StateDict model) {
        Map<String, Setting> parameters = new LinkedHashMap<>();
        JsonNode given = c.get("parameters");
        if (given.has("weights")) {
            parameters.put("weight", Setting.of(given.get("weights").get(i).asDouble()));
        }
        if (given.has("scales")) {
            parameters.put("key_scale", Setting.of(given.get("scales").get(i).asDouble()));
        }
        return new Input("e" + i, model, parameters);
    }

    private static StateDict model(JsonNode c, int i) {
        return Fixtures.read(ROOT.resolve(c.get("models").get(i).asString()).resolve("model.safetensors"));
    }

    private static Fusion fusion(JsonNode c, Map<String, Golden.Values> file) throws IOException {
        List<Input> inputs = new ArrayList<>();
        boolean models = c.has("models");
        for (int i = 0; i < c.get("experts").asInt(); i++) {
            inputs.add(input(c, i, models ? model(c, i + 1) : part(file, "expert." + i)));
        }
        Optional<Input> base = c.get("base").asBoolean()
                ? Optional.of(Input.of("base", models ? model(c, 0) : part(file, "base")))
                : Optional.empty();
        Map<String, Setting> options = options(c);
        if (models) {
            Path config = ROOT.resolve(c.get("models").get(0).asString()).resolve("config.json");
            options.put(
                    "head_dim",
                    Setting.of(JsonMapper.shared()
                            .readTree(Files.readString(config))
                            .get("head_dim")
                            .asInt()));
        }
        return Fusion.of(Methods.named("attention"), inputs, base)
                .withOptions(options)
                .withDtype(DType.ofSafetensors(c.get("out_dtype").asString()).orElseThrow());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void fusesAsTheReferenceDoes(JsonNode c) throws IOException {
        Map<String, Golden.Values> file = Golden.read(ROOT.resolve(c.get("file").asString()));
        StateDict fused = fusion(c, file).fuse();
        StateDict expected =
                c.has("models") ? Fixtures.read(ROOT.resolve(c.get("file").asString())) : part(file, "fused");
        boolean tiny = c.get("name").asString().equals("temperature-tiny");
        if (file.containsKey("alpha")) {
            compareReport(file, ((FusedTensor) fused.tensor("w")).attention().orElseThrow(), !tiny);
        }
        assertEquals(expected.names(), fused.filter(expected::has).names());
        long elements = 0;
        long unequal = 0;
        for (String name : expected.names()) {
            double[] right = Fixtures.doubles(expected.tensor(name));
            double[] ours = Fixtures.doubles(fused.tensor(name));
            DType dtype = expected.tensor(name).spec().dtype();
            for (int i = 0; i < right.length; i++) {
                double scale = dtype == DType.F64 ? Fixtures.rms(right) : 0;
                double distance = Fixtures.ulps(dtype, ours[i], right[i], scale);
                String where = name + "[" + i + "] " + ours[i] + " for " + right[i];
                assertTrue(distance <= (dtype == DType.F64 ? 8 : 1), where);
                elements++;
                unequal += distance > 0 ? 1 : 0;
            }
        }
        boolean f64 = c.get("out_dtype").asString().equals("F64");
        assertTrue(f64 || unequal <= 1 + elements / 1000, unequal + " of " + elements + " elements differ");
    }

    private static void compareReport(Map<String, Golden.Values> file, AttentionReport report, boolean scores) {
        double[] alpha = Fixtures.doubles(DType.F64, file.get("alpha").bytes());
        double[] score = Fixtures.doubles(DType.F64, file.get("score").bytes());
        double[] coherence = Fixtures.doubles(DType.F64, file.get("coherence").bytes());
        double[] scale = Fixtures.doubles(DType.F64, file.get("scale").bytes());
        int groups = coherence.length;
        assertEquals(groups, report.groupCount());
        for (int i = 0; i < scale.length; i++) {
            assertEquals(scale[i], report.scale(i), 1e-12 * scale[i], "scale of " + i);
            for (int g = 0; g < groups; g++) {
                if (scores) {
                    assertEquals(score[i * groups + g], report.score(i, g), 1e-9, "score of " + i + " in " + g);
                    assertEquals(alpha[i * groups + g], report.attention(i, g), 1e-9, "alpha of " + i + " in " + g);
                }
            }
        }
        for (int g = 0; g < groups; g++) {
            assertEquals(coherence[g], report.coherence(g), 1e-9, "coherence in " + g);
        }
    }
}
