/// A training run's directory as one model: which files there are, which rank holds what, and the state dict
/// they make.
///
/// Start with [dev.kintsugi.checkpoint.Checkpoint]. The readers are in the rooms below this one, one per
/// framework.
@NullMarked
package dev.kintsugi.checkpoint;

import org.jspecify.annotations.NullMarked;
