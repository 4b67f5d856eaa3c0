package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// Ranges of rows of another tensor, one after the other; a row is one step along dim 0.
///
/// **Memory.** Nothing but the source; a read copies the runs it needs straight into the target.
public final class RowsTensor implements Tensor {
    /// Rows `[first, first + count)`. **Errors.** [IllegalArgumentException] for a negative number.
    public record Rows(long first, long count) {
        public Rows {
            if (first < 0 || count < 0) {
                throw new IllegalArgumentException("rows " + first + " and " + count + " more");
            }
        }

        /// The first row past these.
        public long end() {
            return Math.addExact(first, count);
        }
    }

    private final Tensor source;
    private final TensorSpec spec;
    private final List<Rows> ranges;
    private final long rowElements;
    /// Where each range starts in this tensor, and at the end where the last one ends, in rows.
    private final long[] starts;

    private RowsTensor(Tensor source, List<Rows> ranges) {
        Shape shape = source.spec().shape();
        this.source = source;
        this.ranges = ranges;
        this.rowElements = shape.elementCountFrom(1);
        this.starts = new long[ranges.size() + 1];
        for (int i = 0; i < ranges.size(); i++) {
            starts[i + 1] = Math.addExact(starts[i], ranges.get(i).count());
        }
        this.spec = new TensorSpec(source.spec().dtype(), shape.with(0, starts[ranges.size()]));
    }

    /// The rows `ranges` of `source` in their order; all rows in one range are the source itself.
    ///
    /// **Errors.** [IllegalArgumentException] for a scalar, or a range that leaves the source.
    public static Tensor of(Tensor source, List<Rows> ranges) {
        Shape shape = source.spec().shape();
        if (shape.ndim() == 0) {
            throw new IllegalArgumentException("a scalar has no rows");
        }
        List<Rows> kept = ranges.stream().filter(r -> r.count() > 0).toList();
        for (Rows range : kept) {
            if (range.end() > shape.dim(0)) {
                throw new IllegalArgumentException(range + " leave a tensor " + shape);
            }
        }
        if (kept.equals(List.of(new Rows(0, shape.dim(0))))) {
            return source;
        }
        return new RowsTensor(source, kept);
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        if (elementCount == 0) {
            return;
        }
        int width = spec.dtype().byteWidth();
        int range = rangeOf(firstElement / rowElements);
        long done = 0;
        while (done < elementCount) {
            long within = firstElement + done - starts[range] * rowElements;
            long left = (starts[range + 1] - starts[range]) * rowElements - within;
            long count = Math.min(left, elementCount - done);
            source.read(
                    ranges.get(range).first() * rowElements + within,
                    count,
                    target.asSlice(done * width, count * width));
            done += count;
            range++;
        }
    }

    private int rangeOf(long row) {
        int found = Arrays.binarySearch(starts, row);
        return found >= 0 ? found : -found - 2;
    }
}
