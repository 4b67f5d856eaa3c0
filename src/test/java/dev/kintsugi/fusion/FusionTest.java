package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.ComputedTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class FusionTest {
    private static StateDict model(Object... namesAndTensors) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int i = 0; i < namesAndTensors.length; i += 2) {
            tensors.put((String) namesAndTensors[i], (Tensor) namesAndTensors[i + 1]);
        }
        return StateDict.of(tensors);
    }

    private static Tensor f32(double... values) {
        return Fixtures.tensor(DType.F32, Shape.of(values.length), values);
    }

    private static Fusion fusion(String method, Input... inputs) {
        return Fusion.of(Methods.named(method), List.of(inputs), Optional.empty());
    }

    private static Fault fault(Code code, Executable action) {
        Fault fault = assertThrows(Fault.class, action);
        assertEquals(code, fault.code(), fault.what());
        return fault;
    }

    /// 1 + 2⁻⁹ + 2⁻²⁰, which BF16 holds as 1.
    private record Computed(TensorSpec spec) implements ComputedTensor {
        @Override
        public void compute(long firstElement, int count, double[] values) {
            Arrays.fill(values, 0, count, 1 + 0x1p-9 + 0x1p-20);
        }
    }

    @Test
    void aTensorThatIsComputedItselfIsRoundedOnceWithTheResult() {
        Tensor computed = new Computed(new TensorSpec(DType.BF16, Shape.of(5)));
        assertArrayEquals(new double[] {1, 1, 1, 1, 1}, Fixtures.doubles(computed));
        Tensor other = Fixtures.tensor(DType.BF16, Shape.of(5), 0x1.02p0, 0x1.02p0, 0x1.02p0, 0x1.02p0, 0x1.02p0);
        Fusion fusion = fusion("linear", Input.of("a", model("w", computed)), Input.of("b", model("w", other)));
        // (1 + 2⁻⁹ + 2⁻²⁰ + 1 + 2⁻⁷) / 2 lies above the middle of 1 and 1 + 2⁻⁷; rounded before, in the middle.
        assertArrayEquals(
                new double[] {0x1.02p0, 0x1.02p0, 0x1.02p0, 0x1.02p0, 0x1.02p0},
                Fixtures.doubles(fusion.fuse().tensor("w")));
        Tensor wide = fusion.withDtype(DType.F64).fuse().tensor("w");
        assertArrayEquals(
                new double[] {(1 + 0x1p-9 + 0x1p-20 + 0x1.02p0) / 2}, Arrays.copyOf(Fixtures.doubles(wide), 1));
    }

    @Test
    void weightedAverageSaysWhatItNormalised() {
        Fusion fusion = fusion(
                "weighted_average", Input.of("a", model("w", f32(1)), 0.1), Input.of("b", model("w", f32(12)), 1.0));
        FusedTensor fused = assertInstanceOf(FusedTensor.class, fusion.fuse().tensor("w"));
        assertEquals("0.0909·a + 0.9091·b (normalised; weights summed to 1.1)", fused.formula());
        assertArrayEquals(new double[] {11}, Fixtures.doubles(fused));
        assertEquals(List.of("a", "b"), fused.parentNames());
        assertEquals(0, fused.earlierSweeps());
        Fusion raw = fusion.withOptions(Map.of("normalize", Setting.of(false)));
        FusedTensor plain = assertInstanceOf(FusedTensor.class, raw.fuse().tensor("w"));
        assertEquals("0.1·a + 1·b (not normalised; weights sum to 1.1)", plain.formula());
        assertEquals(12.1, Fixtures.doubles(plain)[0], 1e-6);
    }

    @Test
    void weightsThatSumToZeroAreRefusedBeforeAnythingIsRead() {
        Fusion fusion = fusion("linear", Input.of("a", model("w", f32(1)), 1), Input.of("b", model("w", f32(2)), -1));
        assertTrue(fault(Code.K7002, fusion::fuse).what().contains("sum to 0"));
    }

    @Test
    void gradientsRunFromTheFirstLayerToTheLastAndSelectorsMakeExceptions() {
        Object[] tensors = {
            "model.embed_tokens.weight",
            f32(1),
            "model.layers.0.w",
            f32(1),
            "model.layers.1.w",
            f32(1),
            "model.layers.2.w",
            f32(1),
            "model.layers.2.norm",
            f32(1)
        };
        StateDict ones = model(tensors);
        Setting weights = new Setting.Filtered(List.of(
                new Setting.Rule("norm", name -> name.endsWith("norm"), Setting.of(7)),
                Setting.Rule.ofSubstring("*", Setting.parse("0.2..0.8"))));
        StateDict fused = fusion("linear", new Input("a", ones, Map.of("weight", weights)))
                .withOptions(Map.of("normalize", Setting.of(false)))
                .fuse();
        assertEquals((float) 0.2, Fixtures.doubles(fused.tensor("model.embed_tokens.weight"))[0]);
        assertEquals((float) 0.2, Fixtures.doubles(fused.tensor("model.layers.0.w"))[0]);
        assertEquals((float) 0.5, Fixtures.doubles(fused.tensor("model.layers.1.w"))[0]);
        assertEquals((float) 0.8, Fixtures.doubles(fused.tensor("model.layers.2.w"))[0]);
        assertEquals(7.0, Fixtures.doubles(fused.tensor("model.layers.2.norm"))[0]);
    }

    @Test
    void tensorsOutsideTheSelectionComeUnchangedFromTheRest() {
        StateDict a = model("x", f32(1), "y", f32(1));
        StateDict b = model("x", f32(3), "y", f32(3), "z", f32(9));
        Fusion fusion = fusion("linear", Input.of("a", a), Input.of("b", b)).withSelection(name -> name.equals("x"));
        assertSame(a.tensor("y"), fusion.fuse().tensor("y"));
        StateDict other = fusion.withRest(b).fuse();
        assertSame(b.tensor("z"), other.tensor("z"));
        assertEquals(List.of("x", "y", "z"), List.copyOf(other.names()));
        assertArrayEquals(new double[] {2}, Fixtures.doubles(other.tensor("x")));
    }

    @Test
    void differencesOfNameAndShapeAreShownAndRefused() {
        StateDict a = model("x", f32(1), "y", f32(1, 2));
        StateDict b = model("x", f32(1), "y", f32(1, 2, 3), "z", f32(1));
        Fault fault = fault(
                Code.K7003,
                () -> fusion("linear", Input.of("a", a), Input.of("b", b)).fuse());
        assertEquals("a, b differ: y is F32 [2] in a and F32 [3] in b; z is missing in a", fault.what());
    }

    @Test
    void integersMustBeEqual() {
        Tensor one = Fixtures.tensor(DType.I64, Shape.of(3), 1, 2, 3);
        Tensor same = Fixtures.tensor(DType.I64, Shape.of(3), 1, 2, 3);
        Tensor other = Fixtures.tensor(DType.I64, Shape.of(3), 1, 2, 4);
        StateDict good = fusion("linear", Input.of("a", model("n", one)), Input.of("b", model("n", same)))
                .fuse();
        assertArrayEquals(new double[] {1, 2, 3}, Fixtures.doubles(good.tensor("n")));
        StateDict bad = fusion("linear", Input.of("a", model("n", one)), Input.of("b", model("n", other)))
                .fuse();
        Fault fault = fault(Code.K7003, () -> Fixtures.doubles(bad.tensor("n")));
        assertTrue(fault.what().endsWith("at element 2"), fault.what());
    }

    @Test
    void eightBitFloatsAreRefusedBecauseTheirScalesLieElsewhere() {
        Tensor small = Fixtures.tensor(DType.F8_E4M3, Shape.of(1), 1);
        fault(
                Code.K4014,
                () -> fusion("linear", Input.of("a", model("w", small))).fuse());
    }

    @Test
    void valuesThatAreNotFiniteAreCountedAndRefusedUnlessAllowed() {
        Fusion nan = fusion(
                "linear", Input.of("a", model("w", f32(1, 2, Double.NaN))), Input.of("b", model("w", f32(1, 2, 3))));
        Fault fault = fault(Code.K7004, () -> Fixtures.doubles(nan.fuse().tensor("w")));
        assertEquals("w: 1 of 3 elements are not finite in F32 (1 NaN); the first is element 2, NaN", fault.what());
        assertTrue(Double.isNaN(Fixtures.doubles(nan.allowingNonFinite().fuse().tensor("w"))[2]));
        Fusion large = fusion("linear", Input.of("a", model("w", f32(70000)))).withDtype(DType.F16);
        assertTrue(fault(Code.K7004, () -> Fixtures.doubles(large.fuse().tensor("w")))
                .why()
                .contains("larger than F16"));
    }

    @Test
    void whatIsNotFiniteIsCountedByKindOverTheWholeTensorWhateverPartIsRead() {
        double[] values = new double[100_000];
        values[7] = Double.NaN;
        values[40_000] = Double.NEGATIVE_INFINITY;
        values[99_998] = 1e30;
        values[99_999] = -1e30;
        Tensor fused = fusion("linear", Input.of("a", model("w", f32(values))))
                .withDtype(DType.F16)
                .fuse()
                .tensor("w");
        MemorySegment one = MemorySegment.ofArray(new byte[2]);
        Fault fault = fault(Code.K7004, () -> fused.read(99_999, 1, one));
        assertEquals(
                "w: 4 of 100000 elements are not finite in F16 (1 NaN, 1 Inf, 2 too large); the first is element 7,"
                        + " NaN",
                fault.what());
        fused.read(8, 1, one);
    }

    @Test
    void changesThatCancelHaveNoModelStock() {
        Input base = Input.of("b", model("w", f32(1, 2, 3)));
        Fusion stock = Fusion.of(
                Methods.named("model-stock"),
                List.of(Input.of("a", model("w", f32(2, 3, 5))), Input.of("c", model("w", f32(0, 1, 1)))),
                Optional.of(base));
        Fault fault = fault(Code.K7005, () -> Fixtures.doubles(stock.fuse().tensor("w")));
        assertEquals("w: the changes cancel (mean cosine -1)", fault.what());
    }

    @Test
    void concatenationLaysPiecesEndToEndBitForBit() {
        Tensor left = Fixtures.tensor(DType.BF16, Shape.of(2, 1), 1, 2);
        Tensor right = Fixtures.tensor(DType.BF16, Shape.of(2, 2), 3, 4, 5, 6);
        Fusion fusion = fusion(
                        "concatenate",
                        Input.of("a@0", model("w", left, "n", f32(1))),
                        Input.of("a@1", model("w", right, "n", f32(1))))
                .withOptions(Map.of("dim", Setting.of(1)));
        Tensor joined = fusion.fuse().tensor("w");
        assertEquals("BF16 [2, 3]", joined.spec().toString());
        assertArrayEquals(new double[] {1, 3, 4, 2, 5, 6}, Fixtures.doubles(joined));
        assertArrayEquals(new double[] {1}, Fixtures.doubles(fusion.fuse().tensor("n")));
        fault(Code.K7003, () -> fusion.withOptions(Map.of("dim", Setting.of(0))).fuse());
    }

    @Test
    void passthroughWithoutScaleIsTheTensorItself() {
        StateDict a = model("w", f32(1));
        assertSame(a.tensor("w"), fusion("passthrough", Input.of("a", a)).fuse().tensor("w"));
        Fusion scaled = fusion("passthrough", Input.of("a", a)).withOptions(Map.of("scale", Setting.of(0.5)));
        assertArrayEquals(new double[] {0.5}, Fixtures.doubles(scaled.fuse().tensor("w")));
    }

    @Test
    void fusionsOfFusionsAreModels() {
        StateDict a = model("w", f32(1));
        StateDict b = model("w", f32(3));
        StateDict mean = fusion("linear", Input.of("a", a), Input.of("b", b)).fuse();
        StateDict again =
                fusion("linear", Input.of("mean", mean), Input.of("b", b)).fuse();
        assertArrayEquals(new double[] {2.5}, Fixtures.doubles(again.tensor("w")));
    }

    @Test
    void mistypedMethodsAndOptionsAreSuggested() {
        assertEquals(
                "did you mean task-arithmetic?",
                fault(Code.K7001, () -> Methods.named("task_arithmetik")).next());
        Input a = Input.of("a", model("w", f32(1)));
        Fault option = fault(Code.K7002, () -> fusion("linear", a).withOptions(Map.of("normalise", Setting.of(1))));
        assertEquals("did you mean normalize?", option.next());
        fault(Code.K7002, () -> fusion("ties", a));
        fault(Code.K7002, () -> fusion("nuslerp", a));
        assertEquals(Methods.named("dare_ties"), Methods.named("DARE-ties"));
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        Input a = Input.of("a", model("w", f32(1)));
        Fusion ties = Fusion.of(Methods.named("ties"), List.of(a), Optional.of(a));
        fault(
                Code.K7002,
                () -> ties.withOptions(Map.of("density", Setting.of(1.5))).fuse());
        Fusion della = Fusion.of(Methods.named("della"), List.of(a), Optional.of(a));
        fault(
                Code.K7002,
                () -> della.withOptions(Map.of("density", Setting.of(0.1))).fuse());
    }

    @Test
    void theSeedAndTheTensorsNameDecideWhatIsDropped() {
        double[] ones = new double[4000];
        Arrays.fill(ones, 1);
        StateDict base = model("x", f32(new double[4000]), "y", f32(new double[4000]));
        StateDict a = model("x", f32(ones), "y", f32(ones));
        Fusion dare = Fusion.of(
                        Methods.named("dare-linear"), List.of(Input.of("a", a)), Optional.of(Input.of("base", base)))
                .withOptions(Map.of("density", Setting.of(0.3)));
        byte[] first = Golden.bytes(dare.fuse().tensor("x"), 4000);
        assertArrayEquals(first, Golden.bytes(dare.fuse().tensor("x"), 17));
        byte[] otherName = Golden.bytes(dare.fuse().tensor("y"), 4000);
        byte[] otherSeed = Golden.bytes(
                dare.withOptions(Map.of("seed", Setting.of(1))).fuse().tensor("x"), 4000);
        assertTrue(!Arrays.equals(first, otherName) && !Arrays.equals(first, otherSeed));
    }

    @Test
    void attentionKeepsTheOneExpertThatChangedARowAndExplainsIt() {
        Shape shape = Shape.of(2, 2);
        StateDict base = model("w", Fixtures.tensor(DType.F32, shape, 1, 1, 1, 1));
        StateDict a = model("w", Fixtures.tensor(DType.F32, shape, 2, 3, 1, 1));
        StateDict b = model("w", Fixtures.tensor(DType.F32, shape, 1, 1, 5, 1));
        Fusion fusion = Fusion.of(
                Methods.named("attention"),
                List.of(Input.of("a", a), Input.of("b", b)),
                Optional.of(Input.of("base", base)));
        FusedTensor fused = assertInstanceOf(FusedTensor.class, fusion.fuse().tensor("w"));
        assertArrayEquals(new double[] {2, 3, 5, 1}, Fixtures.doubles(fused), 1e-5);
        AttentionReport report = fused.attention().orElseThrow();
        assertEquals(2, report.groupCount());
        assertEquals("row", report.groups());
        assertEquals(1, report.attention(0, 0), 1e-6);
        assertEquals(1, report.attention(1, 1), 1e-6);
        assertEquals(0.5, report.coherence(0), 1e-12);
        assertEquals(0, report.entropy(0), 1e-4);
        assertEquals(
                "attention(0.5·a + 0.5·b) per row, T = 1, speciality 1, floor 0.000001, changes from base scaled over"
                        + " model",
                fused.formula());
    }

    @Test
    void everyMethodStatesItselfForOneTensor() {
        StateDict base = model("w", f32(1, 2, 3));
        StateDict a = model("w", f32(1, 2.5, 3));
        for (Method method : Methods.all()) {
            if (method.name().equals("concatenate")) {
                continue;
            }
            int models = Math.max(method.leastModels(), Math.min(2, method.mostModels()));
            Input[] inputs = {Input.of("a", a), Input.of("b", a)};
            Fusion fusion = Fusion.of(
                    method,
                    List.of(inputs).subList(0, models),
                    method.base() == Method.Base.REQUIRED ? Optional.of(Input.of("base", base)) : Optional.empty());
            if (method.findOption("t").isPresent()) {
                fusion = fusion.withOptions(Map.of("t", Setting.of(0.5)));
            }
            if (method.findOption("scale").isPresent()) {
                fusion = fusion.withOptions(Map.of("scale", Setting.of(0.5)));
            }
            FusedTensor fused =
                    assertInstanceOf(FusedTensor.class, fusion.fuse().tensor("w"));
            assertTrue(fused.formula().contains("a"), method.name() + ": " + fused.formula());
            assertEquals(3, Fixtures.doubles(fused).length);
        }
    }
}
