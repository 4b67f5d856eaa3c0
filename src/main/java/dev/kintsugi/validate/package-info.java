/// Whether a model is what it should be: keys, shapes, dtypes, ties, vocabulary, sidecars, values, replicas.
///
/// Start with [dev.kintsugi.validate.Validation]. All findings come at once, each with the error code that an
/// export would refuse with; nothing is thrown for a model that is merely wrong.
@NullMarked
package dev.kintsugi.validate;

import org.jspecify.annotations.NullMarked;
