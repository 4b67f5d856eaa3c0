package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.inspect.Spectrum.Method;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class SpectrumTest {
    /// A matrix with singular values `values`: reflected twice from the diagonal, so that its vectors are
    /// dense.
    private static MemoryTensor withValues(int rows, int columns, double... values) {
        double[] left = unit(rows, 1);
        double[] right = unit(columns, 2);
        double[] matrix = new double[rows * columns];
        for (int k = 0; k < values.length; k++) {
            for (int i = 0; i < rows; i++) {
                double u = (i == k ? 1 : 0) - 2 * left[i] * left[k];
                for (int j = 0; j < columns; j++) {
                    double v = (j == k ? 1 : 0) - 2 * right[j] * right[k];
                    matrix[i * columns + j] += values[k] * u * v;
                }
            }
        }
        return MemoryTensor.of(DType.F64, Shape.of(rows, columns), matrix);
    }

    private static double[] unit(int size, long seed) {
        Random random = new Random(seed);
        double[] vector = new double[size];
        double squares = 0;
        for (int i = 0; i < size; i++) {
            vector[i] = random.nextGaussian();
            squares += vector[i] * vector[i];
        }
        for (int i = 0; i < size; i++) {
            vector[i] /= Math.sqrt(squares);
        }
        return vector;
    }

    private static double[] decaying(int count, double factor) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = 100 * Math.pow(factor, i);
        }
        return values;
    }

    @ParameterizedTest
    @CsvSource({
        "DIRECT, 20, 30, 1e-12",
        "DIRECT, 30, 20, 1e-12",
        "DIRECT, 1, 7, 1e-12",
        "GRAM, 20, 30, 1e-6",
        "GRAM, 301, 20, 1e-6",
        "GRAM, 20, 601, 1e-6",
        "SKETCH, 300, 205, 1e-6",
        "SKETCH, 105, 1300, 1e-6",
        "SKETCH, 10, 7, 1e-6"
    })
    void eachMethodFindsTheValuesTheMatrixWasMadeFrom(Method method, int rows, int columns, double tolerance) {
        double[] values = decaying(Math.min(rows, columns), 0.8);
        Spectrum spectrum = Spectrum.of(withValues(rows, columns, values), method, new Job(2));
        double squares = 0;
        for (double value : values) {
            squares += value * value;
        }
        assertEquals(
                method == Method.SKETCH ? Math.min(32, values.length) : values.length,
                spectrum.values().size());
        for (int i = 0; i < spectrum.values().size(); i++) {
            assertEquals(values[i], spectrum.values().get(i), tolerance * values[0], method + " " + i);
        }
        assertEquals(Math.sqrt(squares), spectrum.frobeniusNorm(), 1e-9);
        assertEquals(squares / values[0] / values[0], spectrum.stableRank(), 1e-6);
        assertEquals(1, spectrum.captured(), 1e-6);
    }

    @ParameterizedTest
    @EnumSource(Method.class)
    void rankOneHasOneValueAndRankOne(Method method) {
        Spectrum spectrum = Spectrum.of(withValues(60, 50, 3.0), method, new Job(1));
        assertEquals(3, spectrum.values().getFirst(), 1e-12);
        assertEquals(0, spectrum.values().get(1), 1e-6);
        assertEquals(1, spectrum.stableRank(), 1e-9);
        assertEquals(1, spectrum.effectiveRank().low(), 1e-4);
        assertEquals(1, spectrum.effectiveRank().high(), 1e-4);
    }

    @Test
    void equalValuesHaveFullEffectiveRank() {
        double[] ones = new double[40];
        Arrays.fill(ones, 2.0);
        Spectrum spectrum = Spectrum.of(withValues(40, 64, ones), new Job(1));
        assertEquals(Method.DIRECT, spectrum.method());
        assertEquals(40, spectrum.effectiveRank().low(), 1e-9);
        assertEquals(40, spectrum.effectiveRank().high(), 1e-9);
        assertEquals(40, spectrum.stableRank(), 1e-9);
    }

    @Test
    void aSketchOfNoiseSaysWhatItMissed() {
        MemoryTensor noise = MemoryTensor.gaussian(DType.BF16, Shape.of(300, 400), 0, 1, new Random(4));
        Spectrum all = Spectrum.of(noise, Method.DIRECT, new Job(1));
        Spectrum some = Spectrum.of(noise, Method.SKETCH, new Job(1));
        assertFalse(some.method().isComplete());
        for (int i = 0; i < Spectrum.SKETCHED; i++) {
            assertTrue(some.values().get(i) <= all.values().get(i) * (1 + 1e-9), "never too great");
            assertTrue(some.values().get(i) >= all.values().get(i) * 0.85, "value " + i);
        }
        assertEquals(all.frobeniusNorm(), some.frobeniusNorm(), 1e-9);
        assertTrue(some.captured() < 0.35 && some.captured() > 0.2);
        assertTrue(some.effectiveRank().low() < all.effectiveRank().low());
        assertTrue(some.effectiveRank().high() > all.effectiveRank().high());
    }

    @ParameterizedTest
    @EnumSource(Method.class)
    void resultsAreTheSameForAnyNumberOfThreads(Method method) {
        MemoryTensor tensor = MemoryTensor.gaussian(DType.F32, Shape.of(130, 515), 0, 1, new Random(2));
        Job job = new Job(1);
        Spectrum one = Spectrum.of(tensor, method, job);
        assertEquals(job.expectedBytes(), job.doneBytes());
        assertEquals(one, Spectrum.of(tensor, method, new Job(4)));
    }

    @Test
    void theMethodFollowsFromTheShape() {
        Random random = new Random(1);
        assertEquals(
                Method.GRAM,
                Spectrum.of(MemoryTensor.gaussian(DType.F32, Shape.of(64, 80, 64), 0, 1, random), Job.quiet())
                        .method());
        Spectrum large =
                Spectrum.of(MemoryTensor.gaussian(DType.BF16, Shape.of(1025, 1030), 0, 1, random), Job.quiet());
        assertEquals(Method.SKETCH, large.method());
        assertTrue(large.method().description().contains("sketch"));
    }

    @Test
    void aMatrixOfZerosHasRankZero() {
        for (Method method : Method.values()) {
            Spectrum spectrum =
                    Spectrum.of(MemoryTensor.of(DType.F32, Shape.of(4, 3), new double[12]), method, new Job(1));
            assertEquals(0, spectrum.stableRank());
            assertEquals(0, spectrum.effectiveRank().high());
        }
    }

    @Test
    void whatHasNoSingularValuesIsRefused() {
        refused(MemoryTensor.row(DType.F32, 1, 2));
        refused(MemoryTensor.of(DType.F32, Shape.of(0, 3)));
        refused(MemoryTensor.of(DType.F32, Shape.of(1, 2), Double.NaN, 1));
        MemoryTensor large = MemoryTensor.gaussian(DType.F32, Shape.of(600, 600), 0, 1, new Random(1));
        large.bytes()[3] = 0x7f;
        large.bytes()[2] = (byte) 0x80;
        refused(large);
    }

    private static void refused(Tensor tensor) {
        assertEquals(
                Code.K1003,
                assertThrows(Fault.class, () -> Spectrum.of(tensor, new Job(1))).code());
    }
}
