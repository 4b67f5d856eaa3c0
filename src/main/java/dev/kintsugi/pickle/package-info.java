/// Pickles as data: protocols 0 to 5 give an inert tree of values.
///
/// Start with [dev.kintsugi.pickle.PickleMachine]. Nothing is imported, nothing is called: a global is its
/// two names, a call is a [dev.kintsugi.pickle.PickleValue.Call] that holds what would have been called. What
/// a reader does not know stays opaque. The EXT opcodes are refused, and so is anything beyond
/// [dev.kintsugi.fault.Limit].
///
/// **Source.** `Lib/pickletools.py`, `Lib/pickle.py`.
@NullMarked
package dev.kintsugi.pickle;

import org.jspecify.annotations.NullMarked;
