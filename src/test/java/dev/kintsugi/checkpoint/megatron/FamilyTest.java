package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules, which are data.
class FamilyTest {
    private static List<String> targets(String family, String name) {
        return Family.load(family).match(name).orElseThrow().targets();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"llama", "mistral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v3"})
    void everyFamilyNamesTheDenseModel(String family) {
        assertEquals(
                List.of("model.layers.12.mlp.gate_proj.weight", "model.layers.12.mlp.up_proj.weight"),
                targets(family, "decoder.layers.12.mlp.linear_fc1.weight"));
        assertTrue(Family.load(family)
                .match("decoder.layers.12.mlp.linear_fc3.weight")
                .isEmpty());
    }

    /// The names of verl's own table for multi-head latent attention.
    @ParameterizedTest
    @CsvSource({
        "self_attention.linear_q_proj.weight, self_attn.q_proj.weight",
        "self_attention.linear_q_down_proj.weight, self_attn.q_a_proj.weight",
        "self_attention.linear_q_up_proj.weight, self_attn.q_b_proj.weight",
        "self_attention.linear_q_up_proj.layer_norm_weight, self_attn.q_a_layernorm.weight",
        "self_attention.linear_kv_down_proj.weight, self_attn.kv_a_proj_with_mqa.weight",
        "self_attention.linear_kv_up_proj.weight, self_attn.kv_b_proj.weight",
        "self_attention.linear_kv_up_proj.layer_norm_weight, self_attn.kv_a_layernorm.weight",
        "mlp.router.expert_bias, mlp.gate.e_score_correction_bias",
        "mlp.shared_experts.linear_fc2.weight, mlp.shared_experts.down_proj.weight",
        "mlp.experts.experts.255.linear_fc2.weight, mlp.experts.255.down_proj.weight"
    })
    void latentAttentionHasItsNames(String megatron, String huggingFace) {
        assertEquals(
                List.of("model.layers.60." + huggingFace), targets("deepseek_v3", "decoder.layers.60." + megatron));
    }

    @Test
    void normsOfHeadsBelongToQwen3Only() {
        String norm = "decoder.layers.0.self_attention.q_layernorm.weight";
        assertEquals(List.of("model.layers.0.self_attn.q_norm.weight"), targets("qwen3_moe", norm));
        assertTrue(Family.load("qwen2").match(norm).isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "../../secret", "part-experts", "names/", "", "LLAMA"})
    void otherModelTypesAreRefused(String modelType) {
        assertEquals(
                Code.K4011,
                assertThrows(Fault.class, () -> Family.load(modelType)).code());
    }

    @ParameterizedTest
    @CsvSource({
        "language_model.transformer.layers.3.attention.x, language_model.encoder.layers.3.attention.x",
        "language_model.transformer.layers.3.post_attention_layernorm.weight,"
                + " decoder.layers.3.pre_mlp_layernorm.weight",
        "language_model.encoder.layers.0.self_attention.query_key_value.bias,"
                + " decoder.layers.0.self_attention.linear_qkv.bias",
        "module.module.decoder.layers.1.mlp.experts.linear_fc1.weight7,"
                + " decoder.layers.1.mlp.experts.experts.7.linear_fc1.weight",
        "decoder.layers.mlp.experts.experts.linear_fc1.weight, decoder.layers.mlp.experts.experts.linear_fc1.weight"
    })
    void olderSpellingsBecomeTodays(String stored, String canonical) {
        assertEquals(canonical, Names.load().canonical(stored));
    }
}
