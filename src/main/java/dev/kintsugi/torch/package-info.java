/// Files of `torch.save` as data: the zip around them, the storages in them, and what their pickles say of tensors,
/// DTensors and ShardedTensors.
///
/// Start with [dev.kintsugi.torch.TorchFile]. Only the globals that torch itself writes for tensors are known; every
/// other value stays an opaque [dev.kintsugi.pickle.PickleValue]. Nothing about ranks working together is known here.
///
/// | bytes | read as |
/// |---|---|
/// | `<stem>/data.pkl` | the pickle |
/// | `<stem>/data/<key>` | a storage, little-endian, stored or deflated |
/// | `<stem>/byteorder` | `little`; `big` is refused |
///
/// **Source.** `torch/serialization.py`, `torch/_utils.py`, `torch/_tensor.py`.
@NullMarked
package dev.kintsugi.torch;

import org.jspecify.annotations.NullMarked;
