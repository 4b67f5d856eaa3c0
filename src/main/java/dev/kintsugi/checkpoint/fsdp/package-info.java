/// Directories with one `model_world_size_W_rank_R.pt` a rank, as FSDP1, HSDP, FSDP2 and FSDP with tensor
/// parallelism write them.
///
/// Start with [dev.kintsugi.checkpoint.fsdp.FsdpFormat]. Placement is taken from each tensor's own DTensor
/// spec; without one (plain tensors), equal on all ranks means one copy and different means pieces along dim
/// 0. `optim_*` and `extra_state_*` files are not part of the model and are named as left out.
///
/// **Source.** `verl/utils/checkpoint/fsdp_checkpoint_manager.py` for the names; the files are torch's.
@NullMarked
package dev.kintsugi.checkpoint.fsdp;

import org.jspecify.annotations.NullMarked;
