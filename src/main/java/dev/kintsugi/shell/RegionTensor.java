package dev.kintsugi.shell;

import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A box of a tensor, such as the piece of one rank.
record RegionTensor(Tensor whole, Region region) implements Tensor {
    RegionTensor {
        if (!region.fitsIn(whole.spec().shape())) {
            throw new IllegalArgumentException(region + " is not in " + whole.spec());
        }
    }

    @Override
    public TensorSpec spec() {
        return new TensorSpec(whole.spec().dtype(), region.shape());
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, region.shape().elementCount());
        long width = whole.spec().dtype().byteWidth();
        long run = runElements();
        long done = 0;
        while (done < elementCount) {
            long at = firstElement + done;
            long count = Math.min(run - at % run, elementCount - done);
            whole.read(inWhole(at), count, target.asSlice(done * width, count * width));
            done += count;
        }
    }

    /// How many elements follow each other in the whole as they do in the box.
    private long runElements() {
        long run = 1;
        for (int dim = region.ndim() - 1; dim >= 0; dim--) {
            run = Math.multiplyExact(run, region.shape().dim(dim));
            if (region.shape().dim(dim) != whole.spec().shape().dim(dim)) {
                return run;
            }
        }
        return run;
    }

    private long inWhole(long element) {
        Shape inner = region.shape().denseStrides();
        Shape outer = whole.spec().shape().denseStrides();
        long rest = element;
        long at = 0;
        for (int dim = 0; dim < region.ndim(); dim++) {
            at += (region.offset().dim(dim) + rest / inner.dim(dim)) * outer.dim(dim);
            rest %= inner.dim(dim);
        }
        return at;
    }
}
