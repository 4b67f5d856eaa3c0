package dev.kintsugi.architecture;

import dev.kintsugi.numeric.ComputedTensor;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;

/// A bias with its adapter's merged in: `b + scale · addend`, in `double`, rounded once.
record ShiftedTensor(Tensor source, Tensor addend, double scale) implements ComputedTensor {
    @Override
    public TensorSpec spec() {
        return source.spec();
    }

    @Override
    public void compute(long firstElement, int count, double[] values) {
        double[] more = new double[count];
        ComputedTensor.decode(source, firstElement, count, values);
        ComputedTensor.decode(addend, firstElement, count, more);
        for (int i = 0; i < count; i++) {
            values[i] += scale * more[i];
        }
    }
}
