package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Kernels on random tensors against slow versions that hold everything in memory.
class KernelPropertiesTest {
    private static final DType[] DTYPES = {DType.F64, DType.F32, DType.BF16, DType.F16};

    static LongStream seeds() {
        return LongStream.range(0, 40);
    }

    private static Shape shape(Random random) {
        return switch (random.nextInt(5)) {
            case 0 -> Shape.SCALAR;
            case 1 -> Shape.of(1 + random.nextInt(100_000));
            case 2 -> Shape.of(1 + random.nextInt(5), 1 + random.nextInt(7), 1 + random.nextInt(9));
            default -> Shape.of(1 + random.nextInt(300), 1 + random.nextInt(300));
        };
    }

    private static double[] values(Random random, long count, boolean wild) {
        double[] odd = {
            Double.NaN,
            Double.POSITIVE_INFINITY,
            Double.NEGATIVE_INFINITY,
            -0.0,
            0.0,
            0x1p-149,
            -0x1p-133,
            0x1p-24,
            Double.MIN_VALUE,
            65504,
            3.3e38
        };
        double[] values = new double[(int) count];
        for (int i = 0; i < values.length; i++) {
            values[i] = wild && random.nextInt(10) == 0
                    ? odd[random.nextInt(odd.length)]
                    : random.nextGaussian() * Math.scalb(1.0, random.nextInt(6) - 8);
        }
        return values;
    }

    private static Tensor fuse(String method, List<Tensor> tensors, double[] weights, Map<String, Setting> options) {
        Method named = Methods.named(method);
        boolean hasBase = named.base() == Method.Base.REQUIRED;
        List<Input> inputs = new ArrayList<>();
        for (int i = hasBase ? 1 : 0; i < tensors.size(); i++) {
            StateDict model = StateDict.of(Map.of("w", tensors.get(i)));
            inputs.add(
                    named.findOption("weight").isPresent()
                            ? Input.of("m" + i, model, weights[i])
                            : Input.of("m" + i, model));
        }
        Optional<Input> base = hasBase
                ? Optional.of(Input.of("base", StateDict.of(Map.of("w", tensors.getFirst()))))
                : Optional.empty();
        return Fusion.of(named, inputs, base)
                .withOptions(options)
                .allowingNonFinite()
                .fuse()
                .tensor("w");
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void linearIsWhatASlowLoopGivesWithNanInfSubnormalsAndSignedZeros(long seed) {
        Random random = new Random(seed);
        Shape shape = shape(random);
        int models = 1 + random.nextInt(4);
        boolean normalize = random.nextBoolean();
        double[] weights =
                random.doubles(models, -0.2, 1).map(w -> w < 0 ? 0 : w).toArray();
        weights[0] = 0.5;
        List<Tensor> tensors = new ArrayList<>();
        List<double[]> x = new ArrayList<>();
        for (int i = 0; i < models; i++) {
            DType dtype = DTYPES[random.nextInt(4)];
            Tensor tensor = Fixtures.tensor(dtype, shape, values(random, shape.elementCount(), true));
            tensors.add(tensor);
            x.add(Fixtures.doubles(tensor));
        }
        Tensor fused = fuse("linear", tensors, weights, Map.of("normalize", Setting.of(normalize)));
        double sum = Arrays.stream(weights).sum();
        double[] slow = new double[(int) shape.elementCount()];
        for (int j = 0; j < slow.length; j++) {
            double total = weights[0] * x.getFirst()[j];
            for (int i = 1; i < models; i++) {
                total = weights[i] == 0 ? total : total + weights[i] * x.get(i)[j];
            }
            slow[j] = normalize ? total / sum : total;
        }
        double[] right = Fixtures.rounded(slow, fused.spec().dtype());
        double[] ours = Fixtures.doubles(fused);
        for (int j = 0; j < right.length; j++) {
            String where = "seed " + seed + ", element " + j + ": " + ours[j] + " for " + right[j];
            if (fused.spec().dtype() == DType.F64 && Double.isFinite(right[j])) {
                assertEquals(right[j], ours[j], Math.ulp(right[j]), where);
            } else {
                assertEquals(0, Double.compare(ours[j], right[j]), where);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void averagesAreTheNearestNumberOfTheTargetDtype(long seed) {
        Random random = new Random(seed);
        DType target = DTYPES[1 + random.nextInt(3)];
        int count = 500;
        List<Tensor> tensors = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            tensors.add(Fixtures.tensor(target, Shape.of(count), values(random, count, false)));
        }
        double[] weights = {1, 1, 1};
        double[] ours = Fixtures.doubles(fuse("linear", tensors, weights, Map.of()));
        List<double[]> x = tensors.stream().map(Fixtures::doubles).toList();
        for (int j = 0; j < count; j++) {
            BigDecimal sum = BigDecimal.ZERO;
            for (double[] model : x) {
                sum = sum.add(new BigDecimal(model[j]));
            }
            BigDecimal exact = sum.divide(new BigDecimal(3), new MathContext(60));
            double error = exact.subtract(new BigDecimal(ours[j])).abs().doubleValue();
            double spacing = 1 / Fixtures.ulps(target, 1, 0, Math.abs(ours[j]));
            assertTrue(error <= spacing / 2 * (1 + 1e-9), "seed " + seed + ", element " + j);
        }
    }

    private static Tensor change(Random random, DType dtype, double[] base, boolean coarse) {
        double[] values = base.clone();
        for (int j = 0; j < values.length; j++) {
            double change = coarse ? (random.nextInt(7) - 3) * 0x1p-6 : random.nextGaussian() * 0.01;
            values[j] += random.nextInt(4) == 0 ? 0 : change;
        }
        return Fixtures.tensor(dtype, Shape.of(base.length), values);
    }

    private static boolean[] kept(double[] d, int from, int to, boolean lastFirst) {
        Comparator<Integer> order =
                Comparator.comparingDouble((Integer j) -> -Math.abs(d[j])).thenComparingInt(j -> lastFirst ? -j : j);
        Integer[] sorted = IntStream.range(0, d.length).boxed().sorted(order).toArray(Integer[]::new);
        boolean[] kept = new boolean[d.length];
        for (int place = from; place < to; place++) {
            kept[sorted[place]] = true;
        }
        return kept;
    }

    private static double[] slowTies(double[] base, List<double[]> x, double[] weights, List<boolean[]> kept) {
        double[] fused = new double[base.length];
        for (int j = 0; j < base.length; j++) {
            double vote = 0;
            for (int i = 0; i < x.size(); i++) {
                vote += kept.get(i)[j] ? weights[i] * (x.get(i)[j] - base[j]) : 0;
            }
            double sum = 0;
            double divisor = 0;
            for (int i = 0; i < x.size(); i++) {
                double change = kept.get(i)[j] ? weights[i] * (x.get(i)[j] - base[j]) : 0;
                if (change != 0 && change > 0 == vote >= 0) {
                    sum += change;
                    divisor += weights[i];
                }
            }
            fused[j] = base[j] + (divisor == 0 ? sum : sum / divisor);
        }
        return fused;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void prunedTaskVectorsAreWhatSortingGivesEvenWithManyEqualMagnitudes(long seed) {
        Random random = new Random(seed);
        DType dtype = DTYPES[random.nextInt(4)];
        int n = 1 + random.nextInt(random.nextBoolean() ? 100 : 90_000);
        boolean crumbs = random.nextBoolean();
        double density = random.nextDouble();
        double gamma = random.nextDouble() * 0.4;
        Tensor base = Fixtures.tensor(dtype, Shape.of(n), values(random, n, false));
        double[] b = Fixtures.doubles(base);
        List<Tensor> tensors = new ArrayList<>(List.of(base));
        List<double[]> x = new ArrayList<>();
        List<boolean[]> kept = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Tensor tensor = change(random, dtype, b, random.nextBoolean());
            tensors.add(tensor);
            double[] values = Fixtures.doubles(tensor);
            x.add(values);
            double[] d =
                    IntStream.range(0, n).mapToDouble(j -> values[j] - b[j]).toArray();
            int keep = (int) (density * n);
            int top = crumbs ? Math.min((int) (gamma * n), n - keep) : 0;
            kept.add(kept(d, top, top + keep, crumbs));
        }
        Map<String, Setting> options = crumbs
                ? Map.of("density", Setting.of(density), "gamma", Setting.of(gamma), "normalize", Setting.of(true))
                : Map.of("density", Setting.of(density));
        double[] weights = {0, 1, 0.5, 0.25};
        Tensor fused = fuse(crumbs ? "breadcrumbs-ties" : "ties", tensors, weights, options);
        double[] slow = slowTies(b, x, Arrays.copyOfRange(weights, 1, 4), kept);
        assertArrayEquals(Fixtures.rounded(slow, dtype), Fixtures.doubles(fused), 0.0, "seed " + seed);
    }

    @ParameterizedTest
    @MethodSource("methods")
    void theSameBytesComeInAnyBlocksAndOnAnyNumberOfThreads(String method) {
        Random random = new Random(11);
        int rows = 97;
        int columns = 1031;
        double[] b = values(random, (long) rows * columns, false);
        List<Tensor> tensors = new ArrayList<>();
        Method named = Methods.named(method);
        int models = Math.min(3, named.mostModels()) + (named.base() == Method.Base.REQUIRED ? 1 : 0);
        for (int i = 0; i < models; i++) {
            double[] values =
                    Arrays.stream(b).map(v -> v + random.nextGaussian() * 0.01).toArray();
            tensors.add(Fixtures.tensor(DType.BF16, Shape.of(rows, columns), values));
        }
        Map<String, Setting> options = named.findOption("t").isPresent()
                ? Map.of("t", Setting.of(0.3))
                : named.findOption("density").isPresent() ? Map.of("density", Setting.of(0.5)) : Map.of();
        double[] weights = {0.4, 0.3, 0.2, 0.1};
        byte[] whole = Golden.bytes(fuse(method, tensors, weights, options), 1 << 20);
        assertArrayEquals(whole, Golden.bytes(fuse(method, tensors, weights, options), 777));
        Tensor fused = fuse(method, tensors, weights, options);
        IntStream.range(0, 8).parallel().forEach(i -> assertArrayEquals(whole, Golden.bytes(fused, 5000 + i)));
    }

    static List<String> methods() {
        return Methods.all().stream()
                .map(Method::name)
                .filter(m -> !m.equals("nuslerp"))
                .toList();
    }
}
