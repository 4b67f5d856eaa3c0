/// Element codecs: little-endian bytes of any real dtype to `float` or `double` and back, rounded once to
/// nearest even; and how to walk over the elements of a tensor in blocks.
///
/// Start with [dev.kintsugi.numeric.Elements]; whoever computes with elements reads them by
/// [dev.kintsugi.numeric.BlockReader]. No arithmetic besides the conversion lives here, but for one sum.
@NullMarked
package dev.kintsugi.numeric;

import org.jspecify.annotations.NullMarked;
