package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Tensor;
import java.util.List;

/// The two factors that change one module's weight: `W + scale · B·A`.
///
/// **Shape.** Of a linear layer, `a` is `[rank, in]`, `b` is `[out, rank]`; of an embedding, `a` is `[rank,
/// tokens]` and `b` `[hidden, rank]`, and the product is transposed.
public record LoraPair(String module, Tensor a, Tensor b, boolean embedding) {
    static final String A = ".lora_A.weight";
    static final String B = ".lora_B.weight";
    static final String BIAS = ".lora_B.bias";
    static final String A_OF_EMBEDDING = ".lora_embedding_A";
    static final String B_OF_EMBEDDING = ".lora_embedding_B";

    public String weightName() {
        return module + ".weight";
    }

    public long rank() {
        return a.spec().shape().dim(0);
    }

    /// The names on disk of what belongs to the pair, a bias among them.
    List<String> names() {
        String name = AdapterSplit.PREFIX + module;
        return embedding
                ? List.of(name + A_OF_EMBEDDING, name + B_OF_EMBEDDING)
                : List.of(name + A, name + B, name + BIAS);
    }

    boolean fits(Tensor weight) {
        if (weight.spec().shape().ndim() != 2) {
            return false;
        }
        long out = b.spec().shape().dim(0);
        long in = a.spec().shape().dim(1);
        long rows = weight.spec().shape().dim(0);
        long columns = weight.spec().shape().dim(1);
        return embedding ? rows == in && columns == out : rows == out && columns == in;
    }
}
