package dev.kintsugi.checkpoint;

import java.util.List;

/// What lies where in a flat buffer of one rank, into which a framework laid its parameters end to end.
///
/// **Units.** Elements. What no span covers is padding: behind a parameter, or at the end for alignment.
///
/// @param group which of the rank's buffers: `group 0`, `sub group 3`
/// @param elementCount with all padding
/// @param storedCount how many are in the file, which may leave padding out; 0 where the file is missing
/// @param spans in the order of the buffer
public record FlatBuffer(int rank, String group, long elementCount, long storedCount, List<Span> spans) {
    public FlatBuffer {
        spans = List.copyOf(spans);
    }

    /// Elements `[first, first + count)` of the buffer, which are those from `parameterFirst` on of a parameter.
    public record Span(String parameter, long first, long count, long parameterFirst) {
        public long end() {
            return first + count;
        }
    }

    public long padding() {
        return elementCount - spans.stream().mapToLong(Span::count).sum();
    }
}
