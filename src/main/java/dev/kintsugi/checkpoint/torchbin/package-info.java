/// Whole models in files of `torch.save`: `pytorch_model.bin`, its numbered parts with an index, or a single
/// file.
///
/// Start with [dev.kintsugi.checkpoint.torchbin.TorchBinFormat].
@NullMarked
package dev.kintsugi.checkpoint.torchbin;

import org.jspecify.annotations.NullMarked;
