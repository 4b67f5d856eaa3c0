package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Merges made by mergekit 0.1.4, read from their own configurations.
///
/// F32 is compared with mergekit's output: mergekit rounds after every operation, hence 8 ulp (16 for one
/// case). 16-bit cases are compared with the exact answer rounded once: equal but for one element in a
/// thousand that lies on a rounding border.
class MergekitFixturesTest {
    private static final Path ROOT = Golden.resource("fusion/mergekit");
    private static final Map<String, StateDict> MODELS = new LinkedHashMap<>();

    static Stream<JsonNode> exactCases() throws IOException {
        return cases("exact");
    }

    static Stream<JsonNode> randomCases() throws IOException {
        return cases("property");
    }

    private static Stream<JsonNode> cases(String kind) throws IOException {
        JsonNode manifest = JsonMapper.shared().readTree(Files.readString(ROOT.resolve("manifest.json")));
        List<JsonNode> cases = new ArrayList<>();
        manifest.get("cases").forEach(cases::add);
        return cases.stream().filter(c -> c.get("kind").asString().equals(kind));
    }

    /// The files of one model are merged by whoever opens it; `e2-sharded` holds what `e2` holds.
    private static synchronized StateDict open(String path) {
        String folder = path.replace("-sharded", "").replace("/model.safetensors", "");
        return MODELS.computeIfAbsent(folder, p -> Fixtures.read(ROOT.resolve(p).resolve("model.safetensors")));
    }

    private static StateDict fuse(JsonNode c) throws IOException {
        String yaml = Files.readString(ROOT.resolve(c.get("config").asString()));
        boolean crop = c.get("name").asString().contains("rows-differ");
        return MergePlan.of(MergeConfig.parse(yaml), MergekitFixturesTest::open, crop)
                .fuse();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("exactCases")
    void mergesAsMergekitWould(JsonNode c) throws IOException {
        String name = c.get("name").asString();
        StateDict fused = fuse(c);
        assertEquals(c.get("tensors").asInt(), fused.size());
        boolean exact = c.has("exact");
        Map<String, Golden.Values> expected =
                Golden.read(ROOT.resolve(c.get(exact ? "exact" : "expected").asString()));
        double limit = exact ? 1 : name.endsWith("multislerp-unnormalized") ? 16 : 8;
        long elements = 0;
        long unequal = 0;
        long far = 0;
        List<String> where = new ArrayList<>();
        for (Map.Entry<String, Golden.Values> entry : expected.entrySet()) {
            String tensor = entry.getKey();
            assertTrue(fused.has(tensor), () -> "no " + tensor);
            DType dtype = entry.getValue().spec().dtype();
            assertEquals(
                    entry.getValue().spec().shape(), fused.tensor(tensor).spec().shape());
            double[] right = Fixtures.doubles(dtype, entry.getValue().bytes());
            if (c.has("quirk") && right.length < 100) {
                continue;
            }
            double[] ours = Fixtures.rounded(Fixtures.doubles(fused.tensor(tensor)), dtype);
            double scale = exact ? 0 : Fixtures.rms(right);
            for (int i = 0; i < right.length; i++) {
                double distance = Fixtures.ulps(dtype, ours[i], right[i], scale);
                elements++;
                unequal += distance > 0 ? 1 : 0;
                far += distance > limit ? 1 : 0;
                if (distance > limit && where.size() < 5) {
                    where.add(tensor + "[" + i + "] " + ours[i] + " for " + right[i]);
                }
            }
        }
        long close = exact ? 0 : c.get("too_close_to_call").asLong();
        assertTrue(far <= close, far + " of " + elements + " elements further than " + limit + " ulp: " + where);
        if (exact) {
            assertTrue(unequal * 1000 <= elements, unequal + " of " + elements + " elements differ");
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("randomCases")
    void randomPruningKeepsTheShareAskedForAndRescales(JsonNode c) throws IOException {
        String name = c.get("name").asString();
        StateDict fused = fuse(c);
        StateDict base = open("models/" + name.replaceAll("/.*", "") + "/base");
        StateDict expert = open("models/" + name.replaceAll("/.*", "") + "/e1");
        boolean rescaled = name.endsWith("rescaled");
        long changed = 0;
        long kept = 0;
        for (String tensor : fused.names()) {
            double[] ours = Fixtures.doubles(fused.tensor(tensor));
            double[] b = Fixtures.doubles(base.tensor(tensor));
            double[] x = Fixtures.doubles(expert.tensor(tensor));
            DType dtype = fused.tensor(tensor).spec().dtype();
            double all = 0;
            double left = 0;
            for (int i = 0; i < b.length; i++) {
                all += Math.abs(x[i] - b[i]);
                left += ours[i] == b[i] ? 0 : Math.abs(x[i] - b[i]);
            }
            double factor = rescaled ? all / left : 1;
            for (int i = 0; i < b.length; i++) {
                changed += x[i] == b[i] ? 0 : 1;
                kept += ours[i] == b[i] ? 0 : 1;
                double wanted = ours[i] == b[i] ? b[i] : b[i] + factor * (x[i] - b[i]);
                // A kept change that rounds away makes the factor seen here a little larger than the one used.
                double slack = Math.abs(x[i] - b[i]) * 0.02 + Math.abs(b[i]) * (dtype == DType.F32 ? 1e-6 : 0x1p-7);
                assertEquals(wanted, ours[i], slack, tensor + "[" + i + "]");
            }
        }
        double share = (double) kept / changed;
        double density = name.contains("della-linear") ? 0.4 : 0.5;
        double rounding = name.startsWith("qwen2") ? 0.01 : 0.001;
        assertEquals(density, share, 4 * Math.sqrt(0.25 / changed) + rounding);
    }

    @Test
    void everyMethodOfMergekitHasACase() throws IOException {
        List<String> seen = Stream.concat(exactCases(), randomCases())
                .map(c -> c.get("method").asString().replace('_', '-'))
                .distinct()
                .toList();
        List<String> missing = Methods.all().stream()
                .map(dev.kintsugi.fusion.Method::name)
                .filter(m -> !seen.contains(m))
                .toList();
        assertEquals(List.of("concatenate", "weighted-average", "attention"), missing);
    }
}
