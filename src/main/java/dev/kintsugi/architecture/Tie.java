package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Tensor;

/// A tensor that was dropped because the model computes with another in its place; the two must be equal bit
/// for bit.
public record Tie(String droppedName, Tensor dropped, String keptName, Tensor kept) {}
