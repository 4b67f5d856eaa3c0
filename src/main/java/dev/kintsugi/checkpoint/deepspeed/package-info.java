/// Directories that DeepSpeed's `engine.save_checkpoint` and `ds_to_universal.py` write.
///
/// Start with [dev.kintsugi.checkpoint.deepspeed.DeepSpeedFormat].
///
/// | file | read as |
/// |---|---|
/// | `latest` | the name of the tag to open, such as `global_step2`; `latest_universal` where it alone is
/// there | | `TAG/mp_rank_00_model_states.pt` | stage 0, 1, 2: names, shapes, 16-bit weights, buffers | |
/// `TAG/zero_pp_rank_R_mp_rank_00_model_states.pt` | stage 3: the same of rank R, weights left empty | |
/// `TAG/[bf16_]zero_pp_rank_R_mp_rank_00_optim_states.pt` | the flat masters and optimizer state of rank R |
/// | `TAG/zero/NAME/fp32.pt`, `exp_avg.pt`, … | universal: one parameter |
///
/// **Stage 1 and 2.** Per parameter group, the partitions of all ranks end to end are the parameters in the
/// order of `param_shapes`; fewer than `2 * ranks` elements may be left over (alignment).
/// **Stage 3.** Each parameter of `n` elements is split by itself: every rank holds `ceil(n / ranks)`, padded
/// at the end. A rank's sub groups end to end are its pieces in the order of `param_shapes`.
///
/// The model is that of the masters, so `F32` as a rule; what has no master (frozen parameters, buffers) is
/// widened from 16 bit, which is exact. Tensor, pipeline and expert parallel checkpoints are refused by name.
///
/// **Source.** `deepspeed/utils/zero_to_fp32.py`, `deepspeed/runtime/zero/stage_1_and_2.py`, `stage3.py`.
@NullMarked
package dev.kintsugi.checkpoint.deepspeed;

import org.jspecify.annotations.NullMarked;
