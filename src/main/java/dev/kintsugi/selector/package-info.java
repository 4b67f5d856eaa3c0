/// The one language in which tensors are chosen, everywhere.
///
///     selector  = term*                      several terms narrow each other; none means all
///     term      = "!" term | fact | pattern
///     fact      = "dtype:" NAME | "shape:" extents | "size:" ("<"|"<="|">"|">=") BYTES | "rank:" N | "placement:" NAME
///     pattern   = a name with * within a segment, ** across segments, {0..3} and {a,b}; a suffix of whole segments
/// does
///
/// Start with [dev.kintsugi.selector.Selector].
@NullMarked
package dev.kintsugi.selector;

import org.jspecify.annotations.NullMarked;
