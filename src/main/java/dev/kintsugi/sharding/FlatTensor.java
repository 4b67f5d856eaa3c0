package dev.kintsugi.sharding;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// A tensor whose elements, in row-major order, are ranges of other tensors laid end to end: a parameter cut
/// out of the flat buffers of an optimizer.
///
/// **Memory.** Nothing but the ranges; a read copies the runs it needs.
public final class FlatTensor implements Tensor {
    private final TensorSpec spec;
    private final List<FlatRange> ranges;
    private final long[] starts;

    private FlatTensor(TensorSpec spec, List<FlatRange> ranges, long[] starts) {
        this.spec = spec;
        this.ranges = ranges;
        this.starts = starts;
    }

    /// The tensor of `spec` that `ranges` make, first to last; empty ranges are left out.
    ///
    /// **Errors.** [Fault] `K3005` if they hold more or fewer elements than `spec`, `K3003` for a range of
    /// another dtype.
    public static FlatTensor of(TensorSpec spec, List<FlatRange> ranges) {
        List<FlatRange> kept = ranges.stream().filter(r -> r.elementCount() > 0).toList();
        long[] starts = new long[kept.size()];
        long total = 0;
        for (int i = 0; i < starts.length; i++) {
            FlatRange range = kept.get(i);
            if (range.source().spec().dtype() != spec.dtype()) {
                throw new Fault(
                        Code.K3003,
                        "a piece is " + range.source().spec().dtype() + ", the tensor " + spec.dtype(),
                        "the ranks were not saved by one run",
                        "compare the ranks with: shards");
            }
            starts[i] = total;
            total = Math.addExact(total, range.elementCount());
        }
        if (total != spec.elementCount()) {
            throw new Fault(
                    Code.K3005,
                    "the pieces hold " + total + " elements, " + spec + " has " + spec.elementCount(),
                    "a rank is missing, or is of another run",
                    "look at the files with: shards");
        }
        return new FlatTensor(spec, kept, starts);
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        int width = spec.dtype().byteWidth();
        int index = rangeOf(firstElement);
        long done = 0;
        while (done < elementCount) {
            FlatRange range = ranges.get(index);
            long within = firstElement + done - starts[index];
            long count = Math.min(range.elementCount() - within, elementCount - done);
            range.source().read(range.firstElement() + within, count, target.asSlice(done * width, count * width));
            done += count;
            index++;
        }
    }

    private int rangeOf(long element) {
        int found = Arrays.binarySearch(starts, element);
        return found >= 0 ? found : -found - 2;
    }
}
