/// Finding out what a path holds and opening it with the right reader.
///
/// Start with [dev.kintsugi.checkpoint.open.Checkpoints]. The only room that knows all formats.
@NullMarked
package dev.kintsugi.checkpoint.open;

import org.jspecify.annotations.NullMarked;
