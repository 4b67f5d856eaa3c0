/// Checkpoints of Megatron-Core and Megatron-LM, under the names Hugging Face gives the tensors.
///
/// Start with [dev.kintsugi.checkpoint.megatron.MegatronFormat]. Two layouts are read:
///
/// | layout | on disk | a tensor is |
/// |---|---|---|
/// | dist checkpoint | `metadata.json`, `.metadata`, `__R_i.distcp` | global chunks, layers often stacked |
/// | legacy | `mp_rank_TT[_PPP][_EEE]/model_optim_rng.pt` | what one model-parallel rank held |
///
/// Both become [dev.kintsugi.checkpoint.megatron.MegatronTensor]s: whole tensors under Megatron-Core's own
/// names, with global layer and expert numbers, gate and up one after the other. What they are called in a
/// Hugging Face model and how their rows are ordered there is data: one JSON file per `model_type` beside
/// this package, so a family more is a file more. A tensor no rule names is refused.
///
/// The optimizer's states are read too where each has the shape of its parameter, and go the way of the
/// weights: `optimizer.state.*` of a dist checkpoint, also where the distributed optimizer flattened it, and the
/// `optimizer` of legacy files, whose numbered
/// parameters [dev.kintsugi.checkpoint.megatron.MegatronFormat] names by order, shape and master. Flat buffers of
/// the distributed optimizer are refused.
///
/// Not read: `zarr` directories, checkpoint versions before 2, quantised weights, multi-token-prediction
/// layers.
///
/// **Source.** `megatron/core/dist_checkpointing`, `megatron/training/checkpointing.py` of Megatron-LM 0.9 to
/// 0.20.
@NullMarked
package dev.kintsugi.checkpoint.megatron;

import org.jspecify.annotations.NullMarked;
