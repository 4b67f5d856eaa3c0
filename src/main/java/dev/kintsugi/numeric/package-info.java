/// Element codecs: little-endian bytes of any real dtype to `float` or `double` and back, rounded once to nearest even.
///
/// Start with [dev.kintsugi.numeric.Elements]. No arithmetic besides the conversion lives here.
@NullMarked
package dev.kintsugi.numeric;

import org.jspecify.annotations.NullMarked;
