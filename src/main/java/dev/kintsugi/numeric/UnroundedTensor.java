package dev.kintsugi.numeric;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;

/// A computed tensor in the dtype it is computed in, `F64`.
record UnroundedTensor(ComputedTensor rounded) implements ComputedTensor {
    @Override
    public TensorSpec spec() {
        return new TensorSpec(DType.F64, rounded.spec().shape());
    }

    @Override
    public void compute(long firstElement, int count, double[] values) {
        rounded.compute(firstElement, count, values);
    }

    @Override
    public Tensor unrounded() {
        return this;
    }
}
