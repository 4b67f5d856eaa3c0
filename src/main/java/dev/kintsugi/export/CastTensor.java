package dev.kintsugi.export;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A tensor rounded once, to nearest even, into another floating point type; what was lost is counted.
final class CastTensor implements Tensor {
    private static final int BLOCK = 8192;

    private final Tensor source;
    private final TensorSpec spec;
    private final CastLoss loss;

    CastTensor(Tensor source, DType dtype, CastLoss loss) {
        this.source = source;
        this.spec = new TensorSpec(dtype, source.spec().shape());
        this.loss = loss;
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        DType from = source.spec().dtype();
        int size = (int) Math.min(BLOCK, elementCount);
        double[] before = new double[size];
        double[] after = new double[size];
        MemorySegment bytes = MemorySegment.ofArray(new byte[size * from.byteWidth()]);
        int width = spec.dtype().byteWidth();
        for (long done = 0; done < elementCount; done += size) {
            int count = (int) Math.min(size, elementCount - done);
            source.read(firstElement + done, count, bytes.asSlice(0, (long) count * from.byteWidth()));
            Elements.toDoubles(from, bytes, before, count);
            MemorySegment part = target.asSlice(done * width, (long) count * width);
            Elements.fromDoubles(spec.dtype(), before, part, count);
            Elements.toDoubles(spec.dtype(), part, after, count);
            loss.add(before, after, count);
        }
    }
}
