/// Writes a model as a Hugging Face directory: planned whole before the first byte, streamed in blocks,
/// published by a rename when complete and checked.
///
/// Start with [dev.kintsugi.export.ExportPlan], then [dev.kintsugi.export.Exporter]. While it is written, the
/// output is `.NAME.kintsugi-part` beside the target, under a lock on `.NAME.kintsugi-lock`; readers never
/// see half a model. Working memory is one block of 1 MiB or so for each thread, whatever the model's size.
@NullMarked
package dev.kintsugi.export;

import org.jspecify.annotations.NullMarked;
