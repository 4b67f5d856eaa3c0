package dev.kintsugi.checkpoint;

import dev.kintsugi.tensor.Tensor;

/// A tensor put together from the ranks' pieces, and how it lay over them.
public record JoinedTensor(Tensor tensor, Layout layout) {}
