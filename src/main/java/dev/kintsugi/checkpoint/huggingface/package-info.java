/// Hugging Face directories: `model.safetensors`, or parts with `model.safetensors.index.json`, or any one file;
/// and the parts by rank that `torch.distributed.checkpoint` writes as safetensors.
///
/// Start with [dev.kintsugi.checkpoint.huggingface.HuggingFaceFormat]. The index must name plain files of its own
/// directory, and agree with what they hold.
@NullMarked
package dev.kintsugi.checkpoint.huggingface;

import org.jspecify.annotations.NullMarked;
