/// Looking at models and files: statistics, histograms, spectra, exact values, heat maps, checksums.
///
/// Start with [dev.kintsugi.inspect.Statistics]. Everything takes a [dev.kintsugi.tensor.StateDict] or a
/// [dev.kintsugi.tensor.Tensor], reads it in blocks of 1 MiB and gives a record; nothing here prints.
/// **Memory.** Threads times a block, never the tensor; [dev.kintsugi.inspect.Spectrum] says what it needs
/// besides.
/// **Numbers.** Elements are decoded exactly to `double` (64-bit integers beyond 2^53 are rounded) and sums
/// are made in `double` over spans that depend on the tensor alone, so that results are the same whatever the
/// number of threads.
@NullMarked
package dev.kintsugi.inspect;

import org.jspecify.annotations.NullMarked;
