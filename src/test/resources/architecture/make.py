"""Writes one folder a model: config.json, and names.json with every tensor that save_pretrained writes and its shape.

Run with torch 2.13 and transformers 5.18: python make.py
"""
import json, pathlib, tempfile
import torch
from safetensors import safe_open
import transformers as T

here = pathlib.Path(__file__).parent
small = dict(vocab_size=40, hidden_size=24, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64)
moe = dict(num_experts=3, moe_intermediate_size=10, num_experts_per_tok=2, decoder_sparse_step=2)
vision25 = dict(depth=2, hidden_size=16, intermediate_size=20, num_heads=2, out_hidden_size=24, patch_size=4)
vision2 = dict(depth=2, embed_dim=16, hidden_size=24, mlp_ratio=2, num_heads=2, patch_size=4)
rope = dict(rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 1]})
cases = {
    "llama": (T.LlamaForCausalLM, T.LlamaConfig(**small)),
    "llama_bias": (T.LlamaForCausalLM, T.LlamaConfig(**small, attention_bias=True, mlp_bias=True, head_dim=8)),
    "llama_token": (T.LlamaForTokenClassification, T.LlamaConfig(**small, num_labels=3)),
    "mistral": (T.MistralForCausalLM, T.MistralConfig(**small, head_dim=10)),
    "mistral_token": (T.MistralForTokenClassification, T.MistralConfig(**small, num_labels=1)),
    "qwen2": (T.Qwen2ForCausalLM, T.Qwen2Config(**small, tie_word_embeddings=True)),
    "qwen2_token": (T.Qwen2ForTokenClassification, T.Qwen2Config(**small, num_labels=1)),
    "qwen2_sequence": (T.Qwen2ForSequenceClassification, T.Qwen2Config(**small, num_labels=1)),
    "qwen2_moe": (T.Qwen2MoeForCausalLM, T.Qwen2MoeConfig(**small, **moe, shared_expert_intermediate_size=14)),
    "qwen2_moe_token": (T.Qwen2MoeForTokenClassification,
                        T.Qwen2MoeConfig(**small, **moe, shared_expert_intermediate_size=14)),
    "qwen3": (T.Qwen3ForCausalLM, T.Qwen3Config(**small, head_dim=8)),
    "qwen3_token": (T.Qwen3ForTokenClassification, T.Qwen3Config(**small, head_dim=8, attention_bias=True)),
    "qwen3_moe": (T.Qwen3MoeForCausalLM, T.Qwen3MoeConfig(**small, **moe, head_dim=8, mlp_only_layers=[1])),
    "qwen3_moe_token": (T.Qwen3MoeForTokenClassification, T.Qwen3MoeConfig(**small, **moe, head_dim=8)),
    "qwen2_vl": (T.Qwen2VLForConditionalGeneration,
                 T.Qwen2VLConfig(text_config={**small, **rope}, vision_config=vision2)),
    "qwen2_5_vl": (T.Qwen2_5_VLForConditionalGeneration,
                   T.Qwen2_5_VLConfig(text_config={**small, **rope}, vision_config=vision25)),
}
for name, (cls, config) in cases.items():
    torch.manual_seed(7)
    model = cls(config)
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(tmp)
        folder = here / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(pathlib.Path(tmp, "config.json").read_text())
        with safe_open(f"{tmp}/model.safetensors", "pt") as f:
            shapes = {k: list(f.get_slice(k).get_shape()) for k in sorted(f.keys())}
    memory = {k: list(v.shape) for k, v in model.state_dict().items()}
    text = json.dumps({"in_memory": memory, "on_disk": shapes})
    (folder / "names.json").write_text(text + "\n")
    print(name, len(shapes))
