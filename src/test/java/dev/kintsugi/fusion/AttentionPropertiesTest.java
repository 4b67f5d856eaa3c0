package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The properties that make attention what it is, on random experts.
class AttentionPropertiesTest {
    private static final Shape SHAPE = Shape.of(9, 14);
    private static final int COUNT = 9 * 14;

    static LongStream seeds() {
        return LongStream.range(0, 20);
    }

    private static double[] random(Random random, double[] around, double size) {
        double[] values = new double[COUNT];
        for (int j = 0; j < COUNT; j++) {
            values[j] = (float) (around[j] + size * random.nextGaussian());
        }
        return values;
    }

    private static FusedTensor fuse(double[] base, List<double[]> experts, Map<String, Object> options) {
        List<Input> inputs = new ArrayList<>();
        for (double[] expert : experts) {
            inputs.add(Input.of("e" + inputs.size(), model(expert)));
        }
        Map<String, Setting> settings = new HashMap<>(Map.of("granularity", new Setting.Text("row")));
        options.forEach((name, value) -> settings.put(name, Setting.parse(value.toString())));
        Fusion fusion = Fusion.of(Methods.named("attention"), inputs, Optional.of(Input.of("base", model(base))));
        return (FusedTensor) fusion.withOptions(settings).fuse().tensor("w");
    }

    private static StateDict model(double[] values) {
        return StateDict.of(Map.of("w", Fixtures.tensor(DType.F64, SHAPE, values)));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void resultsLieBetweenTheExpertsAndAttentionSumsToOne(long seed) {
        Random random = new Random(seed);
        double[] base = random(random, new double[COUNT], 1);
        List<double[]> experts = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            experts.add(random(random, base, 0.1 + i));
        }
        FusedTensor fused = fuse(base, experts, Map.of("temperature", random.nextDouble() * 2));
        double[] values = Fixtures.doubles(fused);
        for (int j = 0; j < COUNT; j++) {
            double low = Math.min(experts.get(0)[j], Math.min(experts.get(1)[j], experts.get(2)[j]));
            double high = Math.max(experts.get(0)[j], Math.max(experts.get(1)[j], experts.get(2)[j]));
            assertTrue(values[j] >= low - 1e-12 && values[j] <= high + 1e-12, "seed " + seed + ", element " + j);
        }
        AttentionReport report = fused.attention().orElseThrow();
        for (int group = 0; group < report.groupCount(); group++) {
            double sum = report.attention(0, group) + report.attention(1, group) + report.attention(2, group);
            assertEquals(1, sum, 1e-12);
            assertTrue(report.entropy(group) >= 0 && report.entropy(group) <= Math.log(3) + 1e-12);
            assertTrue(report.coherence(group) > -1e-12 && report.coherence(group) < 1 + 1e-12);
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void infiniteTemperatureIsTheMeanAndTheOrderOfExpertsDoesNotMatter(long seed) {
        Random random = new Random(seed);
        double[] base = random(random, new double[COUNT], 1);
        double[] a = random(random, base, 0.1);
        double[] b = random(random, base, 3);
        double[] mean = Fixtures.doubles(fuse(base, List.of(a, b), Map.of("temperature", "inf")));
        for (int j = 0; j < COUNT; j++) {
            assertEquals((a[j] + b[j]) / 2, mean[j], 1e-15 * (1 + Math.abs(mean[j])));
        }
        Map<String, Object> plain = Map.of("speciality", 0.6);
        assertArrayEquals(
                Fixtures.doubles(fuse(base, List.of(a, b), plain)),
                Fixtures.doubles(fuse(base, List.of(b, a), plain)),
                1e-12);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void loudnessOfOneExpertAndScaleAndShiftOfAllChangeNoAttention(long seed) {
        Random random = new Random(seed);
        double[] base = random(random, new double[COUNT], 1);
        double[] a = random(random, base, 0.5);
        double[] b = random(random, base, 0.5);
        double[] louder = new double[COUNT];
        double[] zero = new double[COUNT];
        double[] aSmall = new double[COUNT];
        double[] bSmall = new double[COUNT];
        for (int j = 0; j < COUNT; j++) {
            louder[j] = base[j] + 8 * (a[j] - base[j]);
            aSmall[j] = (a[j] - base[j]) * 1e-200;
            bSmall[j] = (b[j] - base[j]) * 1e-200;
        }
        AttentionReport quiet = fuse(base, List.of(a, b), Map.of()).attention().orElseThrow();
        AttentionReport loud =
                fuse(base, List.of(louder, b), Map.of()).attention().orElseThrow();
        AttentionReport tiny =
                fuse(zero, List.of(aSmall, bSmall), Map.of()).attention().orElseThrow();
        for (int group = 0; group < quiet.groupCount(); group++) {
            assertEquals(quiet.attention(0, group), loud.attention(0, group), 1e-9, "seed " + seed);
            assertEquals(quiet.attention(0, group), tiny.attention(0, group), 1e-9, "seed " + seed);
        }
    }
}
