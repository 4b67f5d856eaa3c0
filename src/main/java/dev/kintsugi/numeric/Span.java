package dev.kintsugi.numeric;

import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.List;

/// A run of elements of one tensor, the piece of work one thread takes.
///
/// **Units.** Elements in row-major order.
public record Span(long firstElement, long elementCount) {
    /// Bytes of a span of [#partition(TensorSpec)], but for the last of a tensor.
    public static final long BYTES = 16L << 20;

    /// The spans of a tensor of `spec`, in order. They depend on nothing but `spec`, so that sums over them,
    /// added up in order, are the same whatever the number of threads. An empty tensor has none.
    public static List<Span> partition(TensorSpec spec) {
        long step = BYTES / spec.dtype().byteWidth();
        long count = spec.elementCount();
        List<Span> spans = new ArrayList<>();
        for (long from = 0; from < count; from += step) {
            spans.add(new Span(from, Math.min(step, count - from)));
        }
        return spans;
    }
}
