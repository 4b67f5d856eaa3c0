/// Folders that ColossalAI's `booster.save_model(shard=True)` writes.
///
/// Start with [dev.kintsugi.checkpoint.colossalai.ColossalAiFormat]. Tensor parallel and ZeRO pieces are
/// gathered before they are written, so files hold whole tensors under Hugging Face names; only the file
/// names differ.
///
/// | file | read as |
/// |---|---|
/// | `pytorch_model.bin.index.json` | which file holds which tensor |
/// | `pytorch_model-00001.bin`, … | a shard, without the `-of-N` of Hugging Face |
/// | `pytorch_model-stage-00001-shard-00001.bin`, … | a shard of a pipeline stage |
/// | `tmp_index_files/` | indexes of single stages: left over where a save was interrupted |
///
/// Folders of safetensors files are Hugging Face's own: their index says the same. The optimizer's files are
/// left out.
///
/// **Source.** ColossalAI, `colossalai/checkpoint_io/hybrid_parallel_checkpoint_io.py`, `utils.py`.
@NullMarked
package dev.kintsugi.checkpoint.colossalai;

import org.jspecify.annotations.NullMarked;
