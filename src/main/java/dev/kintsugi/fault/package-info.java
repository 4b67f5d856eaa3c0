/// How something that went wrong is told: a stable code, what and where, why, and what to do next.
///
/// Start with [dev.kintsugi.fault.Fault]. A model that merely differs from what was expected is no fault but a finding
/// in a report.
@NullMarked
package dev.kintsugi.fault;

import org.jspecify.annotations.NullMarked;
