/// Zip archives as data: where each entry's bytes lie in a mapped file.
///
/// Start with [dev.kintsugi.zip.ZipArchive]. Read: stored and deflated entries, data descriptors, ZIP64, archives that
/// lie inside a larger file (`.distcp`). Refused: encryption, several disks, entries that overlap, leave the file or
/// differ between central directory and local header, two entries of one name.
///
/// **Source.** PKWARE APPNOTE 6.3.10; the layout torch writes: `caffe2/serialize/inline_container.cc`.
@NullMarked
package dev.kintsugi.zip;

import org.jspecify.annotations.NullMarked;
