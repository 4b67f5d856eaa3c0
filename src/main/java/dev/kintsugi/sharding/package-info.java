/// The mathematics of device meshes: which slice of a tensor each rank holds, and the whole put together from slices.
///
/// Start with [dev.kintsugi.sharding.DeviceMesh] and [dev.kintsugi.sharding.Placement].
@NullMarked
package dev.kintsugi.sharding;

import org.jspecify.annotations.NullMarked;
