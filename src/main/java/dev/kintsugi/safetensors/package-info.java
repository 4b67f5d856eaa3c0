/// The safetensors file format, read and laid out.
///
/// A file is `N` (8 bytes, little-endian, unsigned), `N` bytes of JSON, and the data:
///
///     {"__metadata__":{"format":"pt"},
///      "model.norm.weight":{"dtype":"BF16","shape":[2048],"data_offsets":[0,4096]}, …}
///
/// Offsets count from the end of the JSON. The tensors tile the data: no hole, no overlap, nothing behind the last.
/// The reference writer sorts by dtype (widest first), then by name, and pads the JSON with spaces to a multiple of 8.
///
/// Start with [dev.kintsugi.safetensors.SafetensorsFile] to read, with
/// [dev.kintsugi.safetensors.SafetensorsLayout] to write. **Source.** `safetensors/src/tensor.rs`, version 0.8.
/// Element types narrower than a byte are refused by name.
@NullMarked
package dev.kintsugi.safetensors;

import org.jspecify.annotations.NullMarked;
