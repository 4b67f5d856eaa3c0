/// Files: mapping what is read, writing what is published.
///
/// Start with [dev.kintsugi.io.MappedFile]; [dev.kintsugi.io.AtomicFile] writes small files of our own. Nothing
/// computes on a mapping: bytes are copied out of it in bulk in one guarded place, for a scalar loop or a
/// checksum over a mapping whose file shrinks kills the JVM, while a bulk copy throws an error that can be
/// caught.
@NullMarked
package dev.kintsugi.io;

import org.jspecify.annotations.NullMarked;
