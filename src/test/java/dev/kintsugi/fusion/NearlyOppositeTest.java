package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Arcs between models that nearly cancel, against the formulas in 80 digits.
///
/// The coefficients of such arcs are large and nearly cancel in turn, so what rounding leaves of the angle decides the
/// result. Allowed is what a combination in `double` cannot help: 2⁻⁴⁶ of the largest term.
class NearlyOppositeTest {
    private static final MathContext DIGITS = new MathContext(80);
    private static final BigDecimal TWO = BigDecimal.valueOf(2);
    private static final int COUNT = 300;

    private static double[] random(Random random, double scale) {
        double[] values = new double[COUNT];
        Arrays.setAll(values, i -> (float) (scale * random.nextGaussian()));
        return values;
    }

    private static double[] opposite(double[] v, double factor, double[] noise) {
        double[] other = new double[v.length];
        Arrays.setAll(other, i -> (float) (-factor * v[i] + noise[i]));
        return other;
    }

    private static BigDecimal big(double value) {
        return new BigDecimal(value);
    }

    private static BigDecimal dot(double[] a, double[] b) {
        BigDecimal sum = BigDecimal.ZERO;
        for (int i = 0; i < a.length; i++) {
            sum = sum.add(big(a[i]).multiply(big(b[i])));
        }
        return sum;
    }

    private static BigDecimal norm(double[] v) {
        return dot(v, v).sqrt(DIGITS);
    }

    private static double[] fused(String method, Map<String, Setting> options, double[]... models) {
        List<Input> inputs = new ArrayList<>();
        for (int i = 0; i < models.length; i++) {
            StateDict model = StateDict.of(Map.of("w", Fixtures.tensor(DType.F32, Shape.of(COUNT), models[i])));
            inputs.add(Input.of("m" + i, model));
        }
        Fusion fusion = Fusion.of(Methods.named(method), inputs, Optional.empty())
                .withOptions(options)
                .withDtype(DType.F64);
        return Fixtures.doubles(fusion.fuse().tensor("w"));
    }

    private static void assertNear(BigDecimal[] right, double[] got, double largestTerm) {
        for (int i = 0; i < COUNT; i++) {
            assertEquals(right[i].doubleValue(), got[i], largestTerm * 0x1p-46, "element " + i);
        }
    }

    private static BigDecimal[] sum(BigDecimal[] coefficients, double[]... models) {
        BigDecimal[] result = new BigDecimal[COUNT];
        for (int i = 0; i < COUNT; i++) {
            result[i] = BigDecimal.ZERO;
            for (int m = 0; m < models.length; m++) {
                result[i] = result[i].add(coefficients[m].multiply(big(models[m][i]), DIGITS));
            }
        }
        return result;
    }

    private static double largest(BigDecimal[] coefficients, double[]... models) {
        double largest = 0;
        for (int m = 0; m < models.length; m++) {
            double most = Arrays.stream(models[m]).map(Math::abs).max().orElse(0);
            largest = Math.max(largest, Math.abs(coefficients[m].doubleValue()) * most);
        }
        return largest;
    }

    @ParameterizedTest
    @CsvSource({"0.1", "0.01", "1e-3", "1e-4", "1e-5", "1e-6"})
    void nuslerpOfNearlyOppositeModelsIsExact(double apart) {
        Random random = new Random(71);
        double[] a = random(random, 0.02);
        double[] b = opposite(a, 1.7, random(random, 0.02 * apart));
        BigDecimal cosine = dot(a, b).divide(norm(a).multiply(norm(b)), DIGITS);
        // Halved twice: q is a quarter of the angle.
        BigDecimal half = BigDecimal.ONE.add(cosine).divide(TWO, DIGITS).sqrt(DIGITS);
        BigDecimal quarter = BigDecimal.ONE.add(half).divide(TWO, DIGITS).sqrt(DIGITS);
        BigDecimal divisor = quarter.multiply(half).multiply(BigDecimal.valueOf(4));
        BigDecimal square = BigDecimal.ONE.subtract(quarter.multiply(quarter));
        BigDecimal[] c = {
            BigDecimal.valueOf(3)
                    .subtract(square.multiply(BigDecimal.valueOf(4)))
                    .divide(divisor, DIGITS),
            BigDecimal.ONE.divide(divisor, DIGITS)
        };
        double[] got = fused("nuslerp", Map.of("weight", new Setting.Number(1)), a, b);
        BigDecimal middle = BigDecimal.ONE.divide(TWO.multiply(half), DIGITS);
        BigDecimal[] even = {middle, middle};
        assertNear(sum(even, a, b), got, largest(even, a, b));
        List<Input> inputs = List.of(
                Input.of("a", StateDict.of(Map.of("w", Fixtures.tensor(DType.F32, Shape.of(COUNT), a))), 3),
                Input.of("b", StateDict.of(Map.of("w", Fixtures.tensor(DType.F32, Shape.of(COUNT), b))), 1));
        Fusion fusion =
                Fusion.of(Methods.named("nuslerp"), inputs, Optional.empty()).withDtype(DType.F64);
        assertNear(sum(c, a, b), Fixtures.doubles(fusion.fuse().tensor("w")), largest(c, a, b));
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6})
    void multislerpOfDirectionsThatNearlyCancelIsExact(double apart) {
        Random random = new Random(72);
        double[] a = random(random, 0.02);
        double[] b = random(random, 0.02);
        double[] noise = random(random, 0.02 * apart);
        double[] c = new double[COUNT];
        double sizeA = norm(a).doubleValue();
        double sizeB = norm(b).doubleValue();
        Arrays.setAll(c, i -> (float) (-a[i] / sizeA * 0.4 - b[i] / sizeB * 0.4 + noise[i]));
        double eps = 1e-8;
        BigDecimal[] unit = {direction(a, eps), direction(b, eps), direction(c, eps)};
        BigDecimal third = BigDecimal.ONE.divide(BigDecimal.valueOf(3), DIGITS);
        BigDecimal[] mean = Arrays.stream(unit).map(u -> u.multiply(third)).toArray(BigDecimal[]::new);
        BigDecimal[] vector = sum(mean, a, b, c);
        BigDecimal length = BigDecimal.ZERO;
        for (BigDecimal value : vector) {
            length = length.add(value.multiply(value));
        }
        BigDecimal reach = length.sqrt(DIGITS);
        BigDecimal size = norm(a).add(norm(b)).add(norm(c)).multiply(third);
        BigDecimal[] scaled = Arrays.stream(mean)
                .map(m -> m.multiply(size).divide(reach, DIGITS))
                .toArray(BigDecimal[]::new);
        double[] got = fused("multislerp", Map.of("weight", new Setting.Number(1)), a, b, c);
        assertNear(sum(scaled, a, b, c), got, largest(scaled, a, b, c));
    }

    private static BigDecimal direction(double[] v, double eps) {
        return BigDecimal.ONE.divide(norm(v).add(big(eps)), DIGITS);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-2, 1e-4, 1e-6})
    void karcherOfNearlyOppositeModelsIsTheirMiddle(double apart) {
        Random random = new Random(73);
        double[] a = random(random, 0.02);
        double[] b = opposite(a, 1.7, random(random, 0.02 * apart));
        BigDecimal[] unit = {direction(a, 0), direction(b, 0)};
        BigDecimal[] vector = sum(unit, a, b);
        BigDecimal square = BigDecimal.ZERO;
        for (BigDecimal value : vector) {
            square = square.add(value.multiply(value));
        }
        BigDecimal length = square.sqrt(DIGITS);
        BigDecimal size = norm(a).add(norm(b)).divide(TWO, DIGITS);
        BigDecimal[] scaled = Arrays.stream(unit)
                .map(u -> u.multiply(size).divide(length, DIGITS))
                .toArray(BigDecimal[]::new);
        double[] got = fused("karcher", Map.of("tol", new Setting.Number(1e-9)), a, b);
        assertNear(sum(scaled, a, b), got, largest(scaled, a, b));
    }

    @Test
    void exactlyOppositeModelsAreMixedLinearly() {
        Random random = new Random(74);
        double[] a = random(random, 0.02);
        double[] b = new double[COUNT];
        Arrays.setAll(a, i -> (float) (Math.rint(a[i] * 1024) / 1024));
        Arrays.setAll(b, i -> -a[i] * 2);
        double[] got = fused("nuslerp", Map.of(), a, b);
        for (int i = 0; i < COUNT; i++) {
            assertEquals(-a[i] / 2, got[i], 0, "element " + i);
        }
    }
}
