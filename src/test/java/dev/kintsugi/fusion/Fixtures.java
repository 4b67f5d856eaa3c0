package dev.kintsugi.fusion;

import dev.kintsugi.Golden;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/// Tensors in memory for the tests of fusion.
final class Fixtures {
    private Fixtures() {}

    /// A tensor whose bytes are held.
    record Held(TensorSpec spec, MemorySegment bytes) implements Tensor {
        @Override
        public void read(long firstElement, long elementCount, MemorySegment target) {
            Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
            int width = spec.dtype().byteWidth();
            MemorySegment.copy(bytes, firstElement * width, target, 0, elementCount * width);
        }
    }

    static Tensor tensor(Golden.Values values) {
        return new Held(values.spec(), MemorySegment.ofArray(values.bytes()));
    }

    static Tensor tensor(DType dtype, Shape shape, double... values) {
        byte[] bytes = new byte[values.length * dtype.byteWidth()];
        Elements.fromDoubles(dtype, values, MemorySegment.ofArray(bytes), values.length);
        return new Held(new TensorSpec(dtype, shape), MemorySegment.ofArray(bytes));
    }

    static StateDict read(Path file) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Golden.read(file).forEach((name, values) -> tensors.put(name, tensor(values)));
        return StateDict.of(tensors);
    }

    static double[] doubles(Tensor tensor) {
        return doubles(tensor.spec().dtype(), Golden.bytes(tensor, 1 << 12));
    }

    static double[] doubles(DType dtype, byte[] bytes) {
        double[] values = new double[bytes.length / dtype.byteWidth()];
        Elements.toDoubles(dtype, MemorySegment.ofArray(bytes), values, values.length);
        return values;
    }

    /// `values` as a tensor of `dtype` would hold them.
    static double[] rounded(double[] values, DType dtype) {
        return doubles(tensor(dtype, Shape.of(values.length), values));
    }

    /// How far `a` lies from `b`, in spacings of `dtype` at the larger of `b` and `scale`.
    static double ulps(DType dtype, double a, double b, double scale) {
        if (Double.compare(a, b) == 0 || (Double.isNaN(a) && Double.isNaN(b))) {
            return 0;
        }
        int fraction = switch (dtype) {
            case BF16 -> 7;
            case F16 -> 10;
            case F32 -> 23;
            default -> 52;
        };
        int least = dtype == DType.F16 ? -14 : dtype == DType.F64 ? -1022 : -126;
        int exponent = Math.max(least, Math.getExponent(Math.max(Math.abs(b), scale)));
        return Math.abs(a - b) / Math.scalb(1.0, exponent - fraction);
    }

    static double rms(double[] values) {
        double sum = 0;
        for (double v : values) {
            sum += v * v;
        }
        return Math.sqrt(sum / values.length);
    }
}
