/// Measurements: `scripts/bench` writes models of given sizes with writers of its own and times the program
/// beside `cp`.
@NullMarked
package dev.kintsugi.bench;

import org.jspecify.annotations.NullMarked;
