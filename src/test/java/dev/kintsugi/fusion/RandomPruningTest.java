package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.kintsugi.Golden;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// DARE and DELLA against versions that hold everything in memory and sort, and against what their definition says
/// of the shares they keep. Shares are allowed 5 standard deviations.
class RandomPruningTest {
    private static final int ROWS = 211;
    private static final int COLUMNS = 307;
    private static final int COUNT = ROWS * COLUMNS;
    private static final Shape SHAPE = Shape.of(ROWS, COLUMNS);

    private static double[] changes(long seed) {
        Random random = new Random(seed);
        double[] values = new double[COUNT];
        Arrays.setAll(values, i -> (float) (random.nextGaussian() * Math.scalb(0.01, random.nextInt(4))));
        return values;
    }

    private static StateDict model(DType dtype, Map<String, double[]> tensors) {
        Map<String, Tensor> made = new LinkedHashMap<>();
        tensors.forEach((name, values) -> made.put(name, Fixtures.tensor(dtype, SHAPE, values)));
        return StateDict.of(made);
    }

    private static StateDict fuse(
            String method, Map<String, Setting> options, StateDict base, StateDict first, StateDict... more) {
        List<Input> inputs = new ArrayList<>(List.of(Input.of("m0", first, 1)));
        for (int i = 0; i < more.length; i++) {
            inputs.add(Input.of("m" + (i + 1), more[i], 0.5));
        }
        return Fusion.of(Methods.named(method), inputs, Optional.of(Input.of("base", base)))
                .withOptions(options)
                .withDtype(DType.F64)
                .fuse();
    }

    private static StateDict zeros(String... names) {
        Map<String, double[]> tensors = new LinkedHashMap<>();
        for (String name : names) {
            tensors.put(name, new double[COUNT]);
        }
        return model(DType.F32, tensors);
    }

    /// Which elements of `d` stay, asked one by one.
    private static boolean[] kept(double[] d, String name, int model, long seed, double density, double epsilon) {
        CounterRandom random = new CounterRandom(seed, name, model);
        boolean[] kept = new boolean[COUNT];
        for (int row = 0; row < ROWS; row++) {
            int from = row * COLUMNS;
            Integer[] rising = IntStream.range(from, from + COLUMNS)
                    .boxed()
                    .sorted(Comparator.comparingDouble(j -> Math.abs(d[j])))
                    .toArray(Integer[]::new);
            for (int rank = 0; rank < COLUMNS; rank++) {
                double probability = density - epsilon + 2 * epsilon * rank / (COLUMNS - 1);
                kept[rising[rank]] = random.at(rising[rank]) < probability;
            }
        }
        return kept;
    }

    private static double factor(double[] d, boolean[] kept, boolean rescale) {
        double all = 0;
        double left = 0;
        for (int j = 0; j < COUNT; j++) {
            all += Math.abs(d[j]);
            left += kept[j] ? Math.abs(d[j]) : 0;
        }
        return rescale ? all / left : 1;
    }

    @ParameterizedTest
    @CsvSource({
        "dare-linear, 0.3, 0, true", "dare-linear, 0.9, 0, false", "dare-ties, 0.5, 0, true",
        "dare-ties, 0.15, 0, false", "della-linear, 0.4, 0.25, true", "della-linear, 0.6, 0.1, false",
        "della, 0.5, 0.45, true", "della, 0.2, 0.15, false"
    })
    void theResultIsThatOfTheObviousVersion(String method, double density, double epsilon, boolean rescale) {
        double[][] d = {changes(1), changes(2)};
        double[] weights = {1, 0.5};
        StateDict fused = fuse(
                method,
                options(density, epsilon, 9, rescale, method.startsWith("della")),
                zeros("w"),
                model(DType.F32, Map.of("w", d[0])),
                model(DType.F32, Map.of("w", d[1])));
        boolean[][] kept = new boolean[2][];
        double[] factors = new double[2];
        for (int i = 0; i < 2; i++) {
            kept[i] = kept(d[i], "w", i, 9, density, epsilon);
            factors[i] = factor(d[i], kept[i], rescale);
        }
        double[] ours = Fixtures.doubles(fused.tensor("w"));
        boolean elects = !method.endsWith("linear");
        boolean normalized = method.equals("della");
        for (int j = 0; j < COUNT; j++) {
            double[] terms = new double[2];
            for (int i = 0; i < 2; i++) {
                terms[i] = kept[i][j] ? weights[i] * factors[i] * d[i][j] : 0;
            }
            double vote = terms[0] + terms[1];
            double sum = 0;
            double divisor = 0;
            for (int i = 0; i < 2; i++) {
                boolean counts = !elects || terms[i] != 0 && terms[i] > 0 == vote >= 0;
                sum += counts ? terms[i] : 0;
                divisor += counts ? weights[i] : 0;
            }
            double right = normalized && divisor != 0 ? sum / divisor : sum;
            assertEquals(right, ours[j], Math.abs(right) * 1e-12, method + " element " + j);
        }
    }

    private static Map<String, Setting> options(
            double density, double epsilon, long seed, boolean rescale, boolean ranked) {
        Map<String, Setting> options = new LinkedHashMap<>(
                Map.of("density", Setting.of(density), "seed", Setting.of(seed), "rescale", Setting.of(rescale)));
        if (ranked) {
            options.put("epsilon", Setting.of(epsilon));
        }
        return options;
    }

    /// Which elements of a change that is nowhere 0 come through.
    private static boolean[] mask(String method, double density, long seed, String name) {
        double[] ones = new double[COUNT];
        Arrays.setAll(ones, j -> 1 + (j % COLUMNS) * 1e-3);
        StateDict fused = fuse(
                method,
                options(density, 0.1, seed, false, method.startsWith("della")),
                zeros(name),
                model(DType.F32, Map.of(name, ones)));
        double[] values = Fixtures.doubles(fused.tensor(name));
        boolean[] mask = new boolean[COUNT];
        for (int j = 0; j < COUNT; j++) {
            mask[j] = values[j] != 0;
        }
        return mask;
    }

    private static long count(boolean[] mask) {
        return IntStream.range(0, mask.length).filter(j -> mask[j]).count();
    }

    private static void assertShare(double expected, long got, long of, String what) {
        double deviation = Math.sqrt(expected * (1 - expected) / of);
        assertEquals(expected, (double) got / of, 5 * deviation, what);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.01, 0.1, 0.5, 0.9, 0.99})
    void dareKeepsTheShareAskedFor(double density) {
        for (long seed = 0; seed < 3; seed++) {
            assertShare(density, count(mask("dare-linear", density, seed, "w")), COUNT, "seed " + seed);
        }
    }

    @Test
    void dellaKeepsByRankFromDensityLessEpsilonToDensityPlusEpsilon() {
        long[] tenths = new long[10];
        long[] sizes = new long[10];
        boolean[] mask = mask("della-linear", 0.5, 4, "w");
        double[] expected = new double[10];
        for (int j = 0; j < COUNT; j++) {
            int rank = j % COLUMNS;
            int tenth = rank * 10 / COLUMNS;
            tenths[tenth] += mask[j] ? 1 : 0;
            sizes[tenth]++;
            expected[tenth] += 0.4 + 0.2 * rank / (COLUMNS - 1);
        }
        for (int tenth = 0; tenth < 10; tenth++) {
            assertShare(expected[tenth] / sizes[tenth], tenths[tenth], sizes[tenth], "tenth " + tenth);
        }
        assertShare(0.5, count(mask), COUNT, "all");
    }

    @ParameterizedTest
    @ValueSource(strings = {"dare-linear", "della-linear"})
    void masksOfOtherSeedsTensorsAndElementsAreIndependent(String method) {
        boolean[] mask = mask(method, 0.5, 7, "model.layers.0.w");
        assertArrayEquals(mask, mask(method, 0.5, 7, "model.layers.0.w"));
        boolean[][] others = {
            mask(method, 0.5, 8, "model.layers.0.w"),
            mask(method, 0.5, 7, "model.layers.1.w"),
            mask(method, 0.5, 7, "model.layers.0.v"),
            shifted(mask, 1),
            shifted(mask, COLUMNS),
            shifted(mask, 64)
        };
        for (int other = 0; other < others.length; other++) {
            long same = 0;
            for (int j = 0; j < COUNT; j++) {
                same += mask[j] == others[other][j] ? 1 : 0;
            }
            // Ranked, two elements of one rank are kept with the same probability p: alike with p² + (1 − p)².
            double alike = method.startsWith("della") && other != 3 && other != 5 ? 0.5 + 2 * 0.01 / 3 : 0.5;
            assertEquals(alike, (double) same / COUNT, 5 * 0.5 / Math.sqrt(COUNT) + 0.004, "other " + other);
        }
    }

    private static boolean[] shifted(boolean[] mask, int by) {
        boolean[] shifted = new boolean[COUNT];
        for (int j = 0; j < COUNT; j++) {
            shifted[j] = mask[(j + by) % COUNT];
        }
        return shifted;
    }

    @Test
    void modelsOfOneChangeLoseDifferentElements() {
        double[] d = changes(3);
        StateDict model = model(DType.F32, Map.of("w", d));
        double[] ours = Fixtures.doubles(fuse("dare-linear", options(0.5, 0, 5, false, false), zeros("w"), model, model)
                .tensor("w"));
        long[] counts = new long[4];
        for (int j = 0; j < COUNT; j++) {
            counts[(int) Math.rint(2 * ours[j] / d[j])]++;
        }
        for (int share = 0; share < 4; share++) {
            assertShare(0.25, counts[share], COUNT, "kept " + share);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"dare-linear", "dare-ties", "della-linear", "della"})
    void aTensorIsTheSameInAnyBlocksThreadsAndCompany(String method) {
        StateDict base = zeros("a", "w");
        StateDict model = model(DType.F32, Map.of("a", changes(5), "w", changes(6)));
        Map<String, Setting> options = options(0.5, 0.1, 3, true, method.startsWith("della"));
        StateDict both = fuse(method, options, base, model);
        byte[] whole = Golden.bytes(both.tensor("w"), COUNT);
        StateDict alone = fuse(method, options, zeros("w"), model(DType.F32, Map.of("w", changes(6))));
        assertArrayEquals(whole, Golden.bytes(alone.tensor("w"), 1000));
        Tensor again = fuse(method, options, base, model).tensor("w");
        IntStream.of(1, 2, 4)
                .forEach(threads -> IntStream.range(0, threads)
                        .parallel()
                        .forEach(i -> assertArrayEquals(whole, Golden.bytes(again, 777 + 4096 * i))));
        options.put("seed", Setting.of(4));
        assertFalse(Arrays.equals(
                whole, Golden.bytes(fuse(method, options, base, model).tensor("w"), COUNT)));
    }
}
