/// The words everything else is said in: dtypes, shapes, regions, tensors and state dicts.
///
/// Start with [dev.kintsugi.tensor.Tensor]: one promise of elements, implemented by whatever holds or computes them.
/// Nothing here reads a file or does arithmetic on elements.
@NullMarked
package dev.kintsugi.tensor;

import org.jspecify.annotations.NullMarked;
