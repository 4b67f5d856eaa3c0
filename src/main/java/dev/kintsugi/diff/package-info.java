/// Comparing two models: structure first, then values.
///
/// Start with [dev.kintsugi.diff.Diff]. Both sides are [dev.kintsugi.tensor.StateDict]s, so models of other
/// sources, shardings and dtypes compare directly, and so do the views of two ranks. A difference is a
/// finding in a report, never a fault; nothing here prints.
/// **Memory.** Threads times two blocks of 1 MiB. **Numbers.** As in statistics: sums in `double` over spans
/// that depend on the tensors alone, the same whatever the number of threads.
@NullMarked
package dev.kintsugi.diff;

import org.jspecify.annotations.NullMarked;
