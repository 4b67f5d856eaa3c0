/// Directories of `torch.distributed.checkpoint`: a `.metadata` pickle and `__R_i.distcp` files.
///
/// Start with [dev.kintsugi.checkpoint.dcp.DcpFormat]. `.metadata` lists every tensor's chunks, each a box in the
/// global
/// tensor, and the file, offset and length where the chunk lies, which is a whole file of `torch.save`.
///
/// **Source.** `torch/distributed/checkpoint/metadata.py`, `filesystem.py`.
@NullMarked
package dev.kintsugi.checkpoint.dcp;

import org.jspecify.annotations.NullMarked;
