package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MergeConfigTest {
    private static final String TIES = """
        # three experts
        merge_method: ties
        base_model: org/base   # the ancestor
        models:
        - model: org/e1
          parameters: {weight: 1.0, density: 0.5}
        - model: "org/e2"
          parameters:
            weight:
            - filter: self_attn
              value: [0.0, 0.5, 1]
            - {filter: mlp, value: 0.1}
            - value: 0.5
        parameters:
          normalize: true
        dtype: bfloat16
        """;

    @Test
    void readsModelsParametersGradientsAndFilters() {
        MergeConfig config = MergeConfig.parse(TIES);
        assertEquals("ties", config.method().name());
        assertEquals(Optional.of("org/base"), config.baseModel());
        assertEquals(Optional.of(DType.BF16), config.dtype());
        assertEquals(List.of("org/e1", "org/e2", "org/base"), List.copyOf(config.models()));
        Setting weight =
                config.slices().getFirst().sources().get(1).parameters().get("weight");
        assertEquals(Optional.of(Setting.of(0.25)), weight.at("model.layers.1.self_attn.q_proj.weight", 0.25));
        assertEquals(Optional.of(Setting.of(0.1)), weight.at("model.layers.1.mlp.up_proj.weight", 0.25));
        assertEquals(Optional.of(Setting.of(0.5)), weight.at("model.norm.weight", 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "[1]", "[1, 2, 3]", "[2, 1]", "[-1, 2]", "[a, b]", "[[], {}]"})
    void aLayerRangeThatIsNoneIsRefused(String range) {
        String yaml = "merge_method: passthrough\nslices:\n- sources:\n  - model: a\n    layer_range: " + range + "\n";
        assertEquals(
                Code.K7006,
                assertThrows(Fault.class, () -> MergeConfig.parse(yaml)).code());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        dtype: bfloat16       | outdtype: bfloat16          | did you mean out_dtype?
        dtype: bfloat16       | chat_template: auto         | leave it out, then look at the result
        dtype: bfloat16       | tokenzier_source: base      | did you mean tokenizer_source?
        dtype: bfloat16       | tokenizer: {source: union, pad_to_multiple_of: x} | write for example 64
        dtype: bfloat16       | tokenizer: {tokens: {a: {source: b, forced: true}}} | did you mean force?
        dtype: bfloat16       | tokenizer: {tokens: {a: {source: {kind: ones}}}} | write one of them
        dtype: bfloat16       | tokenizer: {tokens: {a: {source: {kind: model_token, model: b, token: c, token_id: 3}}}} | give one
        dtype: bfloat16       | tokenizer: {source: union, padto: 64} | leave it out
        density: 0.5          | densty: 0.5                 | did you mean density?
        merge_method: ties    | merge_method: tie           | did you mean ties?
        - filter: self_attn   | - fliter: self_attn         | did you mean filter?
        dtype: bfloat16       | dtype: int8                 | give float32, bfloat16 or float16
        dtype: bfloat16       | merge_method: linear        | keep one
        dtype: bfloat16       | ...                         | leave that line out
        weight: 1.0           | weight: &w 1.0              | write the value plainly or quote it
        """)
    void refusesWhatItDoesNotFollowAndSaysWhatWasMeant(String right, String wrong, String next) {
        assertTrue(TIES.contains(right));
        Fault fault = assertThrows(Fault.class, () -> MergeConfig.parse(TIES.replace(right, wrong)));
        assertEquals(next, fault.next(), fault.what());
    }

    @Test
    void aModelWithoutAWeightIsRefused() {
        MergeConfig config = MergeConfig.parse("""
            merge_method: linear
            models:
            - model: a
            - model: b
              parameters: {weight: 1}
            """);
        StateDict one = StateDict.of(Map.of("w", Fixtures.tensor(DType.F32, Shape.of(1), 1)));
        Fault fault = assertThrows(
                Fault.class, () -> MergePlan.of(config, name -> one, false).fuse());
        assertEquals(Code.K7006, fault.code());
        assertEquals("the model a has no weight", fault.what());
    }

    @Test
    void slicesStackLayersUnderNewNumbers() {
        MergeConfig config = MergeConfig.parse("""
            merge_method: passthrough
            slices:
            - sources:
              - model: a
                layer_range: [0, 2]
            - sources: [{model: b, layer_range: [1, 2]}]
            """);
        StateDict fused = MergePlan.of(config, name -> numbered(name.equals("a") ? 10 : 20), false)
                .fuse();
        assertEquals(
                List.of("embed.weight", "layers.0.w", "layers.1.w", "layers.2.w", "norm.weight"),
                List.copyOf(fused.names()).stream().sorted().toList());
        assertArrayEquals(new double[] {10}, Fixtures.doubles(fused.tensor("embed.weight")));
        assertArrayEquals(new double[] {21}, Fixtures.doubles(fused.tensor("layers.2.w")));
        assertArrayEquals(new double[] {29}, Fixtures.doubles(fused.tensor("norm.weight")));
    }

    private static StateDict numbered(double offset) {
        return StateDict.of(Map.of(
                "embed.weight", Fixtures.tensor(DType.F32, Shape.of(1), offset),
                "layers.0.w", Fixtures.tensor(DType.F32, Shape.of(1), offset),
                "layers.1.w", Fixtures.tensor(DType.F32, Shape.of(1), offset + 1),
                "norm.weight", Fixtures.tensor(DType.F32, Shape.of(1), offset + 9)));
    }

    @Test
    void aRangeBeyondTheModelsLayersIsRefused() {
        MergeConfig config = MergeConfig.parse("""
            merge_method: passthrough
            slices:
            - sources:
              - {model: a, layer_range: [0, 9]}
            """);
        Fault fault = assertThrows(
                Fault.class,
                () -> MergePlan.of(config, name -> numbered(0), false).fuse());
        assertEquals("that model has 2 layers", fault.why());
    }
}
