package dev.kintsugi.diff;

import dev.kintsugi.tensor.TensorSpec;

/// A name both models have, with another shape or dtype in each.
public record SpecDifference(String name, TensorSpec a, TensorSpec b) {}
