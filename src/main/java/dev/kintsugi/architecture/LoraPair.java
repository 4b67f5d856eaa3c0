package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Tensor;

/// The two factors that change one weight: `W + scale · B·A`.
///
/// **Shape.** Of a linear layer, `a` is `[rank, in]`, `b` is `[out, rank]`; of an embedding, `a` is `[rank,
/// tokens]` and `b` `[hidden, rank]`, and the product is transposed.
public record LoraPair(String weightName, Tensor a, Tensor b, boolean embedding) {
    public long rank() {
        return a.spec().shape().dim(0);
    }
}
