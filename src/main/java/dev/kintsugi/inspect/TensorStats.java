package dev.kintsugi.inspect;

import dev.kintsugi.tensor.TensorSpec;

/// One tensor's statistics.
public record TensorStats(String name, TensorSpec spec, ElementStats elements) {}
