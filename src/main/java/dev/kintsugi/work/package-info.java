/// Long jobs: progress, cancelling, and running many small tasks on a few threads.
///
/// Start with [dev.kintsugi.work.Job], which every long job is handed.
@NullMarked
package dev.kintsugi.work;

import org.jspecify.annotations.NullMarked;
