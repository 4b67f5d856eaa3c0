package dev.kintsugi.torch;

import dev.kintsugi.pickle.PickleValue;

/// What stands under a key of a state dict.
public sealed interface TorchValue permits TorchValue.Plain, DTensor, ShardedTensor, TorchValue.Other {
    /// A tensor without any sharding metadata.
    record Plain(StridedTensor tensor) implements TorchValue {}

    /// Anything else, as data.
    record Other(PickleValue value) implements TorchValue {}
}
