/// What a model is called and shaped like on disk: architectures as data, names as current transformers
/// writes them, tied heads, fused experts, adapters.
///
/// Start with [dev.kintsugi.architecture.HubModel], which turns the state dict of a checkpoint into the one
/// that `save_pretrained` would have written, and says for each tensor where it came from. What is known of a
/// model family is a JSON file in this room's resources; adding a family is adding a file and naming it in
/// `families.txt`:
///
///     {"model_types": ["qwen2"],                      model_type of config.json
///      "defaults": {"head_dim": "hidden_size / num_attention_heads"},   where config.json leaves a key out
///      "ranges": {"layer": "num_hidden_layers"},      {layer} in a name runs from 0 to this
///      "tensors": {"model.layers.{layer}.mlp.up_proj.weight": "intermediate_size, hidden_size",
///                  "model.layers.{layer}.self_attn.q_proj.bias": "… if attention_bias"},
///      "heads": {"ForCausalLM": {"lm_head.weight": "vocab_size, hidden_size"}},
///      "tied": {"lm_head.weight": "model.embed_tokens.weight"},
///      "rename": [["^model\\.visual\\.", "visual."]],
///      "split": [["^(.*\\.experts)\\.gate_up_proj$", "$1.{expert}.gate_proj.weight", "$1.{expert}.up_proj.weight"]]}
///
/// A `split` tensor `[E, k·n, …]` becomes `k` tensors `[n, …]` for each expert. **Source.** `modeling_*.py` and
/// `conversion_mapping.py` of transformers 5.18.
@NullMarked
package dev.kintsugi.architecture;

import org.jspecify.annotations.NullMarked;
