package dev.kintsugi.architecture;

import dev.kintsugi.tensor.TensorSpec;

/// A tensor of the files that the output does not hold, and why.
public record LeftOut(String stored, TensorSpec spec, String why) {}
