package dev.kintsugi.diff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.MemoryTensor;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DiffTest {
    private static final double INF = Double.POSITIVE_INFINITY;

    private static TensorDifference difference(Tensor a, Tensor b, Tolerances tolerances) {
        DiffReport report = Diff.compare(
                StateDict.of(Map.of("t", a)), StateDict.of(Map.of("t", b)), n -> true, tolerances, new Job(1));
        assertTrue(report.sameStructure());
        return report.tensors().getFirst();
    }

    private static TensorDifference difference(Tensor a, Tensor b) {
        return difference(a, b, Tolerances.EXACT);
    }

    /// Steps to the next number until it is there; only for numbers that are near.
    private static long stepsF32(double from, double to) {
        float at = (float) Math.min(from, to);
        long steps = 0;
        while (at < Math.max(from, to)) {
            at = Math.nextUp(at);
            steps++;
        }
        return steps;
    }

    /// The slow way: pair by pair, sums without rounding.
    private static void assertRight(MemoryTensor a, MemoryTensor b, Tolerances tolerances, TensorDifference found) {
        double[] x = a.scalars();
        double[] y = b.scalars();
        long differing = 0;
        long outside = 0;
        long nan = 0;
        long infinite = 0;
        long finite = 0;
        int first = -1;
        double maxAbs = 0;
        double maxRelative = 0;
        BigDecimal dd = BigDecimal.ZERO;
        BigDecimal xx = BigDecimal.ZERO;
        BigDecimal yy = BigDecimal.ZERO;
        BigDecimal xy = BigDecimal.ZERO;
        for (int i = 0; i < x.length; i++) {
            boolean same = x[i] == y[i] || (Double.isNaN(x[i]) && Double.isNaN(y[i]));
            boolean close = same;
            if (Double.isNaN(x[i]) != Double.isNaN(y[i])) {
                nan++;
            } else if (Double.isFinite(x[i]) && Double.isFinite(y[i])) {
                finite++;
                BigDecimal p = new BigDecimal(x[i]);
                BigDecimal q = new BigDecimal(y[i]);
                double distance = Math.abs(x[i] - y[i]);
                dd = dd.add(new BigDecimal(distance).pow(2));
                xx = xx.add(p.pow(2));
                yy = yy.add(q.pow(2));
                xy = xy.add(p.multiply(q));
                maxAbs = Math.max(maxAbs, distance);
                if (!same) {
                    maxRelative = Math.max(maxRelative, distance / Math.max(Math.abs(x[i]), Math.abs(y[i])));
                }
                close = distance <= tolerances.atol() + tolerances.rtol() * Math.abs(y[i]);
            } else if (!same) {
                infinite++;
            }
            differing += same ? 0 : 1;
            outside += close ? 0 : 1;
            first = !same && first < 0 ? i : first;
        }
        MathContext digits = new MathContext(60);
        assertEquals(x.length, found.elements(), "elements");
        assertEquals(differing, found.differing(), "differing");
        assertEquals(outside, found.outside(), "outside");
        assertEquals(nan, found.nanMismatches(), "nan");
        assertEquals(infinite, found.infinityMismatches(), "infinite");
        assertEquals(maxAbs, found.maxAbs(), "max abs");
        assertEquals(maxRelative, found.maxRelative(), "max relative");
        int perElement = a.spec().dtype() == DType.C64 ? 2 : 1;
        long width = a.spec().shape().dim(1);
        Optional<List<Long>> index = first < 0
                ? Optional.empty()
                : Optional.of(List.of(first / perElement / width, first / perElement % width));
        assertEquals(index, found.firstDiffering());
        double rms = finite == 0
                ? 0
                : dd.divide(BigDecimal.valueOf(finite), digits).sqrt(digits).doubleValue();
        assertEquals(rms, found.rms(), 1e-12 * rms, "rms");
        double norm = yy.sqrt(digits).doubleValue();
        double relative = dd.signum() == 0 ? 0 : dd.sqrt(digits).doubleValue() / norm;
        assertEquals(relative, found.relativeNorm(), relative == INF ? 0 : 1e-12 * relative, "relative norm");
        assertEquals(xx.signum() == 0 || yy.signum() == 0, found.cosine().isEmpty());
        if (found.cosine().isPresent()) {
            double cosine = xy.divide(xx.multiply(yy).sqrt(digits), digits).doubleValue();
            assertEquals(cosine, found.cosine().getAsDouble(), 1e-12, "cosine");
        }
        assertEquals(
                a.spec().equals(b.spec()) && Arrays.equals(a.bytes(), b.bytes()), found.bitEqual(), "bit equality");
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void anyBitPatternsDifferAsTheSlowWayFinds(DType dtype) {
        for (long seed = 0; seed < 10; seed++) {
            Random random = new Random(seed);
            Shape shape = Shape.of(random.nextInt(1, 30), random.nextInt(1, 90));
            MemoryTensor a = MemoryTensor.patterns(dtype, shape, random);
            MemoryTensor b = new MemoryTensor(a.spec(), a.bytes().clone());
            for (int i = random.nextInt(4); i > 0; i--) {
                random.nextBytes(b.bytes());
            }
            if (seed > 5) {
                b.bytes()[random.nextInt(b.bytes().length)]++;
            }
            tame(a);
            tame(b);
            Tolerances tolerances = new Tolerances(random.nextInt(2) * 0.3, random.nextInt(2) * 1e-3);
            try {
                assertRight(a, b, tolerances, difference(a, b, tolerances));
            } catch (AssertionError e) {
                throw new AssertionError("seed " + seed + " " + a.spec(), e);
            }
        }
    }

    /// Keeps F64 where squares do not overflow, and 64-bit integers where doubles are exact.
    private static void tame(MemoryTensor tensor) {
        for (int i = 7; i < tensor.bytes().length && tensor.spec().dtype().byteWidth() == 8; i += 8) {
            switch (tensor.spec().dtype()) {
                case F64 -> tensor.bytes()[i] = (byte) ((tensor.bytes()[i] & 0xbf) | 0x38);
                case I64, U64 -> {
                    tensor.bytes()[i] = 0;
                    tensor.bytes()[i - 1] &= 0x0f;
                }
                default -> {
                    // as it is
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"F64", "F32", "BF16", "F16", "I32", "U8"})
    void valuesOfDifferentDtypesAreComparedAsTheyAre(DType dtype) {
        for (long seed = 0; seed < 2; seed++) {
            Random random = new Random(seed);
            Shape shape = Shape.of(600, random.nextInt(900, 1000));
            MemoryTensor a = MemoryTensor.gaussian(DType.F32, shape, 100, 10, random);
            MemoryTensor b = MemoryTensor.of(dtype, shape, a.scalars());
            Tolerances tolerances = new Tolerances(1e-3, 0);
            TensorDifference found = difference(a, b, tolerances);
            assertRight(a, b, tolerances, found);
            assertEquals(dtype == DType.F64, found.sameValues() && dtype != DType.F32, "a wider dtype loses nothing");
            assertEquals(dtype == DType.F32, found.maxUlps().isPresent());
        }
    }

    @Test
    void aDifferenceInTheLastElementOfALongTensorIsFound() {
        Random random = new Random(5);
        MemoryTensor a = MemoryTensor.gaussian(DType.BF16, Shape.of(900, 1001), 0, 1, random);
        MemoryTensor b = new MemoryTensor(a.spec(), a.bytes().clone());
        b.bytes()[b.bytes().length - 2] ^= 1;
        TensorDifference found = difference(a, b);
        assertRight(a, b, Tolerances.EXACT, found);
        assertEquals(Optional.of(List.of(899L, 1000L)), found.firstDiffering());
        assertEquals(OptionalLong.of(1), found.maxUlps());
        assertFalse(found.bitEqual());
        assertTrue(difference(a, a).bitEqual());
        assertEquals(1.0, difference(a, a).cosine().getAsDouble());
    }

    @Test
    void nanEqualsNanAndNegativeZeroEqualsZero() {
        MemoryTensor a = MemoryTensor.of(DType.F32, Shape.of(1, 7), Double.NaN, -0.0, INF, INF, 1, Double.NaN, -INF);
        MemoryTensor b = MemoryTensor.of(DType.F32, Shape.of(1, 7), Double.NaN, 0.0, INF, -INF, Double.NaN, 2, 5);
        TensorDifference found = difference(a, b, new Tolerances(1e300, 1e300));
        assertRight(a, b, new Tolerances(1e300, 1e300), difference(a, b, new Tolerances(1e300, 1e300)));
        assertEquals(4, found.differing());
        assertEquals(4, found.outside());
        assertEquals(2, found.nanMismatches());
        assertEquals(2, found.infinityMismatches());
        assertEquals(Optional.of(List.of(0L, 3L)), found.firstDiffering());
        TensorDifference zeros = difference(
                MemoryTensor.of(DType.F32, Shape.of(1, 1), -0.0), MemoryTensor.of(DType.F32, Shape.of(1, 1), 0.0));
        assertTrue(zeros.sameValues());
        assertFalse(zeros.bitEqual());
        assertEquals(OptionalLong.of(0), zeros.maxUlps());
        assertTrue(zeros.cosine().isEmpty());
    }

    @Test
    void ulpsAreStepsFromNumberToNumber() {
        Random random = new Random(9);
        for (int i = 0; i < 50; i++) {
            float from = random.nextInt(3) == 0 ? -Float.MIN_VALUE * random.nextInt(9) : random.nextFloat() - 0.5f;
            float to = from;
            for (int steps = random.nextInt(40); steps > 0; steps--) {
                to = Math.nextUp(to);
            }
            TensorDifference found = difference(MemoryTensor.row(DType.F32, from), MemoryTensor.row(DType.F32, to));
            assertEquals(OptionalLong.of(stepsF32(from, to)), found.maxUlps(), from + " " + to);
        }
        assertEquals(
                OptionalLong.of(3),
                difference(bits(DType.F64, 0x8000000000000002L), bits(DType.F64, 1))
                        .maxUlps());
        assertEquals(
                OptionalLong.of(Long.MAX_VALUE),
                difference(bits(DType.F64, 0xffefffffffffffffL), bits(DType.F64, 0x7fefffffffffffffL))
                        .maxUlps());
        assertEquals(
                OptionalLong.of(0x7e8),
                difference(bits(DType.F16, 0x83e8), bits(DType.F16, 0x400)).maxUlps());
        assertEquals(
                OptionalLong.of(2),
                difference(bits(DType.F8_E4M3, 0x81), bits(DType.F8_E4M3, 1)).maxUlps());
        assertEquals(
                OptionalLong.of(254),
                difference(bits(DType.F8_E8M0, 0), bits(DType.F8_E8M0, 254)).maxUlps());
    }

    private static MemoryTensor bits(DType dtype, long bits) {
        byte[] bytes = new byte[dtype.byteWidth()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (bits >>> (8 * i));
        }
        return new MemoryTensor(new TensorSpec(dtype, Shape.of(1)), bytes);
    }

    @Test
    void longIntegersThatAreTheSameAsDoublesStillDiffer() {
        TensorDifference found =
                difference(bits(DType.I64, (1L << 60) + 1), bits(DType.I64, 1L << 60), new Tolerances(0, 0.5));
        assertEquals(1, found.differing());
        assertEquals(1, found.outside());
        assertEquals(1.0, found.maxAbs());
        assertTrue(found.maxUlps().isEmpty());
        assertTrue(difference(bits(DType.U64, -1L), bits(DType.U64, -1L)).bitEqual());
    }

    @Test
    void hugeNumbersWhoseSquaresOverflowAreStillCounted() {
        TensorDifference found =
                difference(MemoryTensor.row(DType.F64, 1e200, 1), MemoryTensor.row(DType.F64, 1e200, 2));
        assertEquals(1, found.differing());
        assertEquals(1.0, found.maxAbs());
        assertEquals(0, found.nanMismatches() + found.infinityMismatches());
    }

    @Test
    void emptyTensorsAreEqualAndScalarsHaveAnEmptyIndex() {
        TensorDifference empty =
                difference(MemoryTensor.of(DType.F32, Shape.of(0, 4)), MemoryTensor.of(DType.F32, Shape.of(0, 4)));
        assertTrue(empty.bitEqual() && empty.sameValues() && empty.close());
        TensorDifference scalar =
                difference(MemoryTensor.of(DType.F32, Shape.SCALAR, 1), MemoryTensor.of(DType.F32, Shape.SCALAR, 2));
        assertEquals(Optional.of(List.of()), scalar.firstDiffering());
        assertEquals(0.5, scalar.maxRelative());
    }

    @Test
    void structureIsToldBeforeValues() {
        Map<String, Tensor> a = new LinkedHashMap<>();
        Map<String, Tensor> b = new LinkedHashMap<>();
        a.put("only.a", MemoryTensor.row(DType.F32, 1));
        b.put("only.b", MemoryTensor.row(DType.F32, 1));
        a.put("shape", MemoryTensor.of(DType.F32, Shape.of(2, 1), 1, 2));
        b.put("shape", MemoryTensor.of(DType.F32, Shape.of(1, 2), 1, 2));
        a.put("dtype", MemoryTensor.row(DType.F32, 1, 2));
        b.put("dtype", MemoryTensor.row(DType.BF16, 1, 2));
        a.put("not.looked.at", MemoryTensor.row(DType.F32, 1));
        DiffReport report =
                Diff.compare(StateDict.of(a), StateDict.of(b), n -> !n.startsWith("not"), Tolerances.EXACT, new Job(2));
        assertEquals(List.of("only.a"), report.missing());
        assertEquals(List.of("only.b"), report.extra());
        assertEquals(
                List.of("shape"),
                report.shapes().stream().map(SpecDifference::name).toList());
        assertEquals(
                List.of("dtype"),
                report.dtypes().stream().map(SpecDifference::name).toList());
        assertEquals(1, report.tensors().size());
        assertTrue(report.tensors().getFirst().sameValues());
        assertFalse(report.agrees() || report.sameStructure() || report.bitEqual());
        DiffReport dtypes =
                Diff.compare(StateDict.of(a), StateDict.of(b), "dtype"::equals, Tolerances.EXACT, new Job(2));
        assertTrue(dtypes.agrees());
        assertFalse(dtypes.bitEqual());
    }

    @Test
    void whatMattersComesFirst() {
        Map<String, Tensor> a = new LinkedHashMap<>();
        Map<String, Tensor> b = new LinkedHashMap<>();
        put(a, b, "equal", 1, 1);
        put(a, b, "close", 1, 1.0001);
        put(a, b, "far", 1, 2);
        put(a, b, "farther", 1, 100);
        put(a, b, "equal.too", 3, 3);
        put(a, b, "nan", Double.NaN, 1);
        DiffReport report =
                Diff.compare(StateDict.of(a), StateDict.of(b), n -> true, new Tolerances(1e-2, 0), new Job(3));
        assertEquals(
                List.of("nan", "farther", "far", "close", "equal", "equal.too"),
                report.tensors().stream().map(TensorDifference::name).toList());
        assertEquals(4, report.differing().size());
    }

    private static void put(Map<String, Tensor> a, Map<String, Tensor> b, String name, double x, double y) {
        a.put(name, MemoryTensor.row(DType.F32, x));
        b.put(name, MemoryTensor.row(DType.F32, y));
    }

    @Test
    void theSummaryGroupsByLayerAndPart() {
        Map<String, Tensor> a = new LinkedHashMap<>();
        Map<String, Tensor> b = new LinkedHashMap<>();
        put(a, b, "lm_head.weight", 1, 1);
        put(a, b, "model.layers.10.self_attn.q_proj.weight", 1, 4);
        put(a, b, "model.layers.10.self_attn.k_proj.weight", 1, 1);
        put(a, b, "model.layers.2.mlp.up_proj.weight", 1, 2);
        put(a, b, "model.layers.2.input_layernorm.weight", 1, 1);
        put(a, b, "model.embed_tokens.weight", 1, 1);
        List<GroupDifference> groups = Diff.compare(
                        StateDict.of(a), StateDict.of(b), n -> true, Tolerances.EXACT, new Job(1))
                .summary();
        assertEquals(
                List.of(Part.EMBEDDING, Part.MLP, Part.NORM, Part.ATTENTION, Part.HEAD),
                groups.stream().map(GroupDifference::part).toList());
        GroupDifference attention = groups.get(3);
        assertEquals(OptionalInt.of(10), attention.layer());
        assertEquals(2, attention.tensors());
        assertEquals(1, attention.differingTensors());
        assertEquals(3.0, attention.maxAbs());
        assertEquals(Math.sqrt(4.5), attention.rms(), 1e-15);
        assertTrue(groups.getFirst().layer().isEmpty());
    }

    @Test
    void partsAreToldFromNames() {
        assertEquals(Part.ADAPTER, Part.of("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"));
        assertEquals(Part.VISION, Part.of("visual.blocks.3.norm1.weight"));
        assertEquals(Part.NORM, Part.of("model.layers.0.self_attn.q_norm.weight"));
        assertEquals(Part.NORM, Part.of("model.norm.weight"));
        assertEquals(Part.MLP, Part.of("model.layers.1.mlp.experts.7.down_proj.weight"));
        assertEquals(Part.MLP, Part.of("model.layers.1.block_sparse_moe.gate.weight"));
        assertEquals(Part.ATTENTION, Part.of("transformer.h.0.attn.c_attn.weight"));
        assertEquals(Part.EMBEDDING, Part.of("transformer.wte.weight"));
        assertEquals(Part.HEAD, Part.of("score.weight"));
        assertEquals(Part.OTHER, Part.of("global_step"));
    }

    @Test
    void resultsAreTheSameForAnyNumberOfThreads() {
        Random random = new Random(1);
        Map<String, Tensor> a = new LinkedHashMap<>();
        Map<String, Tensor> b = new LinkedHashMap<>();
        for (int i = 0; i < 7; i++) {
            Shape shape = Shape.of(i == 3 ? 5_000_000 : 1000 + i);
            a.put("t" + i, MemoryTensor.gaussian(DType.F32, shape, 0, 1, random));
            b.put("t" + i, MemoryTensor.gaussian(DType.BF16, shape, 0, 1, random));
        }
        Job job = new Job(1);
        DiffReport one = Diff.compare(StateDict.of(a), StateDict.of(b), n -> true, Tolerances.EXACT, job);
        assertEquals(job.expectedBytes(), job.doneBytes());
        DiffReport four = Diff.compare(StateDict.of(a), StateDict.of(b), n -> true, Tolerances.EXACT, new Job(4));
        assertEquals(one, four);
    }

    @Test
    void twoShardingsOfOneModelAreBitEqualAndTwoRanksAreNot() {
        try (Checkpoint one = open("fsdp2_4");
                Checkpoint other = open("fsdp2_4")) {
            DiffReport report = Diff.compare(one.tensors(), other.tensors(), n -> true, Tolerances.EXACT, Job.quiet());
            assertTrue(report.bitEqual());
            assertEquals(one.tensors().size(), report.tensors().size());
            DiffReport ranks =
                    Diff.compare(one.ranks().get(0), one.ranks().get(1), n -> true, Tolerances.EXACT, Job.quiet());
            assertFalse(ranks.agrees());
            assertTrue(ranks.missing().isEmpty() && ranks.extra().isEmpty());
        }
    }

    @Test
    void replicasOfAHybridShardedModelHoldTheSameBytes() {
        try (Checkpoint checkpoint = open("hsdp_2x2")) {
            assertTrue(Diff.compare(
                            checkpoint.ranks().get(0),
                            checkpoint.ranks().get(2),
                            n -> true,
                            Tolerances.EXACT,
                            Job.quiet())
                    .bitEqual());
        }
    }

    private static Checkpoint open(String fixture) {
        return Checkpoints.open(
                List.of(Golden.resource("fsdp").resolve(fixture).resolve("ckpt")), OpenOptions.defaults(), Job.quiet());
    }
}
