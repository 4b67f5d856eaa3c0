/// Several models become one: weighted averages, attention over experts, and the methods the merging
/// community uses.
///
/// Start with [dev.kintsugi.fusion.Fusion]: a method of [dev.kintsugi.fusion.Methods], its models and options
/// give a [dev.kintsugi.tensor.StateDict] again, so a fused model can be shown, compared, validated, exported
/// and fused.
///
/// **Lazy.** Nothing is computed before an element is read. What must be known of a whole tensor first
/// (norms, inner products, thresholds) is found by one or more earlier sweeps over it at the first read,
/// once, and kept.
/// **Numbers.** Elements are decoded exactly to `double`, combined in `double` in a fixed order (blocks
/// ascending, models in the order given) and rounded once to the target dtype, nearest even: the same bytes
/// on every run and number of threads. Random methods hash the seed, the tensor's name, the model and the
/// element.
/// **Memory.** A block of each model, plus what the sweeps keep: a few numbers per tensor, row or column.
///
/// This room opens no file: the models come in as state dicts.
@NullMarked
package dev.kintsugi.fusion;

import org.jspecify.annotations.NullMarked;
