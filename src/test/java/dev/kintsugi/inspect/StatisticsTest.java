package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.MemoryTensor;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatisticsTest {
    private static ElementStats stats(Tensor tensor) {
        return Statistics.of(StateDict.of(Map.of("t", tensor)), n -> true, new Job(1))
                .tensors()
                .getFirst()
                .elements();
    }

    /// The smallest normal number as a person would look it up.
    private static double smallestNormal(DType dtype) {
        return switch (dtype) {
            case F64 -> 0x1p-1022;
            case F32, BF16, C64 -> 0x1p-126;
            case F16, F8_E5M2 -> 0x1p-14;
            case F8_E5M2FNUZ -> 0x1p-15;
            case F8_E4M3 -> 0x1p-6;
            case F8_E4M3FNUZ -> 0x1p-7;
            default -> 0;
        };
    }

    /// The slow way: one element after the other, sums without rounding.
    private static void assertRight(MemoryTensor tensor, ElementStats stats) {
        long nan = 0;
        long positive = 0;
        long negative = 0;
        long zeros = 0;
        long subnormal = 0;
        List<BigDecimal> finite = new ArrayList<>();
        for (double value : tensor.scalars()) {
            if (Double.isNaN(value)) {
                nan++;
            } else if (Double.isInfinite(value)) {
                positive += value > 0 ? 1 : 0;
                negative += value < 0 ? 1 : 0;
            } else {
                finite.add(new BigDecimal(value));
                zeros += value == 0 ? 1 : 0;
                subnormal += value != 0
                                && Math.abs(value)
                                        < smallestNormal(tensor.spec().dtype())
                        ? 1
                        : 0;
            }
        }
        assertEquals(tensor.scalars().length, stats.count(), "count");
        assertEquals(nan, stats.nan(), "nan");
        assertEquals(positive, stats.positiveInfinite(), "+inf");
        assertEquals(negative, stats.negativeInfinite(), "-inf");
        assertEquals(zeros, stats.zeros(), "zeros");
        assertEquals(subnormal, stats.subnormal(), "subnormal");
        assertEquals(finite.isEmpty(), stats.finite().isEmpty());
        if (!finite.isEmpty()) {
            assertMoments(finite, stats.finite().orElseThrow());
        }
    }

    private static void assertMoments(List<BigDecimal> values, ElementStats.Finite stats) {
        MathContext digits = new MathContext(60);
        BigDecimal count = BigDecimal.valueOf(values.size());
        BigDecimal sum = BigDecimal.ZERO;
        BigDecimal magnitudes = BigDecimal.ZERO;
        BigDecimal squares = BigDecimal.ZERO;
        BigDecimal min = values.getFirst();
        BigDecimal max = values.getFirst();
        for (BigDecimal value : values) {
            sum = sum.add(value);
            magnitudes = magnitudes.add(value.abs());
            squares = squares.add(value.multiply(value));
            min = min.min(value);
            max = max.max(value);
        }
        BigDecimal mean = sum.divide(count, digits);
        BigDecimal centred =
                squares.subtract(sum.multiply(sum).divide(count, digits)).max(BigDecimal.ZERO);
        double std = centred.divide(count, digits).sqrt(digits).doubleValue();
        double l2 = squares.sqrt(digits).doubleValue();
        double meanMagnitude = magnitudes.divide(count, digits).doubleValue();
        assertEquals(values.size(), stats.count());
        assertEquals(min.doubleValue(), stats.min());
        assertEquals(max.doubleValue(), stats.max());
        assertEquals(min.abs().max(max.abs()).doubleValue(), stats.absMax());
        assertEquals(mean.doubleValue(), stats.mean(), 1e-12 * meanMagnitude, "mean");
        assertEquals(l2, stats.l2(), 1e-12 * l2, "l2");
        double conditioning = std == 0 ? 1 : Math.max(1, meanMagnitude / std);
        assertEquals(std, stats.std(), 1e-13 * std * conditioning + 1e-15 * meanMagnitude, "std");
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void everyBitPatternIsCountedAsTheSlowWayCountsIt(DType dtype) {
        for (long seed = 0; seed < 12; seed++) {
            Random random = new Random(seed);
            Shape shape = Shape.of(random.nextInt(1, 40), random.nextInt(1, 60));
            MemoryTensor tensor = MemoryTensor.patterns(dtype, shape, random);
            if (dtype == DType.F64) {
                for (int i = 7; i < tensor.bytes().length; i += 8) {
                    tensor.bytes()[i] = (byte) ((tensor.bytes()[i] & 0xbf) | 0x20);
                }
            }
            ElementStats stats = stats(tensor);
            try {
                assertRight(tensor, stats);
            } catch (AssertionError e) {
                throw new AssertionError("seed " + seed + " " + tensor.spec(), e);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I32", "C64"})
    void longTensorsAcrossBlocksAreRight(DType dtype) {
        Random random = new Random(7);
        long count = (1 << 20) / dtype.byteWidth() + random.nextInt(5000);
        MemoryTensor plain = dtype == DType.C64
                ? new MemoryTensor(
                        new TensorSpec(dtype, Shape.of(count)),
                        MemoryTensor.gaussian(DType.F32, Shape.of(count * 2), 3, 1, random)
                                .bytes())
                : MemoryTensor.gaussian(dtype, Shape.of(count), 3, dtype == DType.I32 ? 1000 : 1, random);
        assertRight(plain, stats(plain));
    }

    @Test
    void aTinySpreadAboutALargeMeanIsNotLost() {
        Random random = new Random(3);
        MemoryTensor tensor = MemoryTensor.gaussian(DType.F64, Shape.of(200_000), 1e6, 1e-3, random);
        assertRight(tensor, stats(tensor));
        MemoryTensor constant = MemoryTensor.gaussian(DType.F32, Shape.of(300_000), 0.1, 0, random);
        assertEquals(0, stats(constant).finite().orElseThrow().std(), 1e-17);
    }

    @DisplayName("R-13, S-31 NaN, infinities, negative zeros and subnormals are told apart in every dtype")
    @ParameterizedTest
    @ValueSource(strings = {"F64", "F32", "BF16", "F16"})
    void nanInfinityNegativeZeroAndSubnormalsAreToldApart(DType dtype) {
        double tiny = smallestNormal(dtype) / 2;
        MemoryTensor tensor = MemoryTensor.row(
                dtype,
                Double.NaN,
                Double.POSITIVE_INFINITY,
                Double.NEGATIVE_INFINITY,
                -0.0,
                0.0,
                tiny,
                -tiny,
                smallestNormal(dtype),
                -2.0,
                1.0);
        ElementStats stats = stats(tensor);
        assertEquals(10, stats.count());
        assertEquals(1, stats.nan());
        assertEquals(1, stats.positiveInfinite());
        assertEquals(1, stats.negativeInfinite());
        assertEquals(2, stats.zeros());
        assertEquals(2, stats.subnormal());
        assertTrue(stats.hasNonFinite());
        assertEquals(7, stats.finite().orElseThrow().count());
        assertEquals(-2.0, stats.finite().orElseThrow().min());
        assertRight(tensor, stats);
    }

    @Test
    void negativeZeroIsReportedAsZero() {
        ElementStats.Finite finite =
                stats(MemoryTensor.row(DType.F32, -0.0, -0.0)).finite().orElseThrow();
        assertEquals(new ElementStats.Finite(2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), finite);
    }

    @Test
    void emptyTensorsAndTensorsOfNanHaveNoMoments() {
        assertEquals(
                new ElementStats(0, 0, 0, 0, 0, 0, Optional.empty()),
                stats(MemoryTensor.of(DType.BF16, Shape.of(3, 0))));
        ElementStats nan = stats(MemoryTensor.row(DType.F16, Double.NaN, Double.NaN));
        assertEquals(2, nan.nan());
        assertTrue(nan.finite().isEmpty());
    }

    @Test
    void aScalarIsOneElement() {
        ElementStats stats = stats(MemoryTensor.of(DType.I64, Shape.SCALAR, -5));
        assertEquals(
                new ElementStats.Finite(1, -5, -5, 5, -5, 0, 5), stats.finite().orElseThrow());
        assertEquals(
                1,
                stats(MemoryTensor.of(DType.BOOL, Shape.SCALAR, 1))
                        .finite()
                        .orElseThrow()
                        .max());
    }

    @Test
    void totalsAreThoseOfAllElementsTogether() {
        Random random = new Random(11);
        MemoryTensor a = MemoryTensor.gaussian(DType.F32, Shape.of(100, 7), 5, 1, random);
        MemoryTensor b = MemoryTensor.gaussian(DType.F32, Shape.of(3000), -8, 2, random);
        byte[] both = new byte[a.bytes().length + b.bytes().length];
        System.arraycopy(a.bytes(), 0, both, 0, a.bytes().length);
        System.arraycopy(b.bytes(), 0, both, a.bytes().length, b.bytes().length);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("b", b);
        tensors.put("a", a);
        tensors.put("left.out", MemoryTensor.row(DType.F32, Double.NaN));
        Statistics statistics = Statistics.of(StateDict.of(tensors), n -> n.length() == 1, Job.quiet());
        assertEquals(
                List.of("b", "a"),
                statistics.tensors().stream().map(TensorStats::name).toList());
        assertFalse(statistics.total().hasNonFinite());
        assertRight(new MemoryTensor(new TensorSpec(DType.F32, Shape.of(3700)), both), statistics.total());
    }

    /// Values from a formula, more of them than a span has.
    private record Formula(TensorSpec spec) implements Tensor {
        @Override
        public void read(long firstElement, long elementCount, MemorySegment target) {
            for (long i = 0; i < elementCount; i++) {
                long at = firstElement + i;
                double value = at % 1_000_003 == 17 ? Double.NaN : Math.sin(at * 0.37) * Math.exp(at % 13);
                target.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, 8 * i, value);
            }
        }
    }

    @Test
    void resultsAreTheSameForAnyNumberOfThreads() {
        StateDict model = StateDict.of(Map.of(
                "long", new Formula(new TensorSpec(DType.F64, Shape.of(5, 1_000_000))),
                "short", new Formula(new TensorSpec(DType.F64, Shape.of(10)))));
        Job one = new Job(1);
        Statistics expected = Statistics.of(model, n -> true, one);
        assertEquals(40_000_080, one.doneBytes());
        assertEquals(one.expectedBytes(), one.doneBytes());
        assertEquals(5, expected.total().nan());
        for (int threads = 2; threads <= 4; threads++) {
            assertEquals(expected, Statistics.of(model, n -> true, new Job(threads)));
        }
    }

    @Test
    void aCancelledJobStops() {
        Job job = new Job(2);
        job.cancel();
        Fault fault = assertThrows(
                Fault.class,
                () -> Statistics.of(StateDict.of(Map.of("t", MemoryTensor.row(DType.F32, 1))), n -> true, job));
        assertEquals(Code.K9002, fault.code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"fsdp2_4", "dp_tp_uneven_4x2", "fsdp1_4"})
    void aShardedCheckpointHasTheStatisticsOfTheGatheredModel(String fixture) {
        try (Checkpoint checkpoint = Checkpoints.open(
                List.of(Golden.resource("fsdp").resolve(fixture).resolve("ckpt")),
                OpenOptions.defaults(),
                Job.quiet())) {
            Statistics statistics = Statistics.of(checkpoint.tensors(), n -> true, Job.quiet());
            Map<String, Golden.Values> goldens =
                    Golden.read(Golden.resource("fsdp").resolve(fixture).resolve("expected/model.safetensors"));
            int compared = 0;
            for (TensorStats stats : statistics.tensors()) {
                Golden.Values golden = goldens.get(stats.name());
                if (golden != null) {
                    assertRight(new MemoryTensor(golden.spec(), golden.bytes()), stats.elements());
                    compared++;
                }
            }
            assertEquals(goldens.size(), compared);
        }
    }
}
