package dev.kintsugi.architecture;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A bias with its adapter's merged in: `b + scale · addend`, in `double`, rounded once.
record ShiftedTensor(Tensor source, Tensor addend, double scale) implements Tensor {
    private static final int BLOCK = 4096;

    @Override
    public TensorSpec spec() {
        return source.spec();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec().elementCount());
        DType dtype = spec().dtype();
        DType addendDtype = addend.spec().dtype();
        int width = dtype.byteWidth();
        source.read(firstElement, elementCount, target);
        int size = (int) Math.min(BLOCK, elementCount);
        double[] block = new double[size];
        double[] more = new double[size];
        MemorySegment bytes = MemorySegment.ofArray(new byte[size * addendDtype.byteWidth()]);
        for (long done = 0; done < elementCount; done += size) {
            int count = (int) Math.min(size, elementCount - done);
            MemorySegment part = target.asSlice(done * width, (long) count * width);
            Elements.toDoubles(dtype, part, block, count);
            addend.read(firstElement + done, count, bytes.asSlice(0, (long) count * addendDtype.byteWidth()));
            Elements.toDoubles(addendDtype, bytes, more, count);
            for (int i = 0; i < count; i++) {
                block[i] += scale * more[i];
            }
            Elements.fromDoubles(dtype, block, part, count);
        }
    }
}
