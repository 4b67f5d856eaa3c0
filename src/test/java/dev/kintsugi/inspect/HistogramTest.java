package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.inspect.Histogram.Bin;
import dev.kintsugi.inspect.Histogram.Scale;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HistogramTest {
    private static Histogram of(Scale scale, int bins, Tensor... tensors) {
        Map<String, Tensor> named = new LinkedHashMap<>();
        for (Tensor tensor : tensors) {
            named.put("t" + named.size(), tensor);
        }
        Histogram one = Histogram.of(StateDict.of(named), n -> true, scale, bins, new Job(1));
        assertEquals(one, Histogram.of(StateDict.of(named), n -> true, scale, bins, new Job(4)));
        return one;
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {
                "F64",
                "F32",
                "BF16",
                "F16",
                "F8_E4M3",
                "F8_E5M2",
                "F8_E4M3FNUZ",
                "F8_E5M2FNUZ",
                "I8",
                "U8",
                "I64",
                "BOOL"
            })
    void everyElementIsInTheBinWhoseEdgesHoldIt(DType dtype) {
        for (long seed = 0; seed < 8; seed++) {
            Random random = new Random(seed);
            MemoryTensor patterns = MemoryTensor.patterns(dtype, Shape.of(random.nextInt(1, 3000)), random);
            MemoryTensor normal = MemoryTensor.gaussian(dtype, Shape.of(500), 0, 3, random);
            for (Scale scale : Scale.values()) {
                assertCounts(of(scale, random.nextInt(1, 40), patterns, normal), patterns, normal);
                assertCounts(of(scale, random.nextInt(1, 40), normal), normal);
            }
        }
    }

    private static void assertCounts(Histogram histogram, MemoryTensor... tensors) {
        List<Bin> bins = histogram.bins();
        long[] counts = new long[bins.size()];
        long zeros = 0;
        long others = 0;
        long count = 0;
        for (MemoryTensor tensor : tensors) {
            for (double scalar : tensor.scalars()) {
                count++;
                zeros += scalar == 0 ? 1 : 0;
                others += Double.isFinite(scalar) ? 0 : 1;
                double value = histogram.scale() == Scale.LOG ? Math.abs(scalar) : scalar;
                for (int i = 0; i < counts.length; i++) {
                    boolean last =
                            i == counts.length - 1 && value == bins.get(i).high();
                    boolean inside =
                            value >= bins.get(i).low() && value < bins.get(i).high();
                    boolean counted = histogram.scale() == Scale.LINEAR || value != 0;
                    counts[i] += Double.isFinite(value) && counted && (inside || last) ? 1 : 0;
                }
            }
        }
        assertEquals(count, histogram.count());
        assertEquals(zeros, histogram.zeros());
        assertEquals(others, histogram.nan() + histogram.positiveInfinite() + histogram.negativeInfinite());
        long binned = 0;
        for (int i = 0; i < counts.length; i++) {
            assertEquals(counts[i], bins.get(i).count(), bins.get(i).toString());
            assertTrue(i == 0 || bins.get(i).low() == bins.get(i - 1).high());
            binned += counts[i];
        }
        assertEquals(count - others - (histogram.scale() == Scale.LOG ? zeros : 0), binned);
    }

    @Test
    void linearBinsDivideValuesAndLogBinsMagnitudes() {
        assertEquals(
                List.of(new Bin(-2, 0, 1), new Bin(0, 2, 2), new Bin(2, 4, 1), new Bin(4, 6, 2)),
                of(Scale.LINEAR, 4, MemoryTensor.row(DType.F32, -2, 0, 1.5, 3, 4, 6))
                        .bins());
        List<Bin> bins = of(Scale.LOG, 3, MemoryTensor.row(DType.F32, -1, 0, 2, 4, 8.5, -64))
                .bins();
        assertEquals(List.of(2L, 2L, 1L), bins.stream().map(Bin::count).toList());
        assertEquals(4, bins.getFirst().high(), 1e-12);
    }

    @Test
    void equalValuesMakeOneBinAndNoneMakeNone() {
        assertEquals(
                List.of(new Bin(5, 5, 3)),
                of(Scale.LINEAR, 10, MemoryTensor.row(DType.I32, 5, 5, 5)).bins());
        assertEquals(
                List.of(),
                of(Scale.LINEAR, 10, MemoryTensor.row(DType.F32, Double.NaN)).bins());
        assertEquals(
                List.of(),
                of(Scale.LOG, 10, MemoryTensor.row(DType.F32, 0, -0.0)).bins());
        assertEquals(
                0, of(Scale.LOG, 10, MemoryTensor.of(DType.F32, Shape.of(0))).count());
    }
}
