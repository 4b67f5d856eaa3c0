package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Flat buffers laid end to end, some of which may be missing.
///
/// **Units.** Elements.
record FlatRun(List<Part> parts) {
    FlatRun {
        parts = List.copyOf(parts);
    }

    /// One buffer; absent data is that of a rank whose file is missing.
    record Part(int rank, long elementCount, Optional<Stored> stored) {
        static Part of(Stored stored) {
            return new Part(stored.rank(), stored.elementCount(), Optional.of(stored));
        }
    }

    /// A range of one buffer. `trimmed` elements behind it are padding.
    record Slice(int rank, Optional<Stored> stored, long first, long count, long trimmed) {
        Slice withTrimmed(long trimmed) {
            return new Slice(rank, stored, first, count, trimmed);
        }
    }

    long elementCount() {
        return parts.stream().mapToLong(Part::elementCount).reduce(0, Math::addExact);
    }

    /// Elements `[first, first + count)` as ranges of the buffers, in order.
    ///
    /// **Errors.** [Fault] `K3102` if there are not so many.
    List<Slice> slice(long first, long count) {
        List<Slice> slices = new ArrayList<>();
        long start = 0;
        long end = Math.addExact(first, count);
        for (Part part : parts) {
            long from = Math.max(first, start);
            long to = Math.min(end, start + part.elementCount());
            if (from < to) {
                slices.add(new Slice(part.rank(), part.stored(), from - start, to - from, 0));
            }
            start = Math.addExact(start, part.elementCount());
        }
        if (end > start) {
            throw new Fault(
                    Code.K3102,
                    "elements " + first + " to " + end + " of flat buffers that hold " + start,
                    "a rank's file is of another run, or the padding was cut off",
                    "copy the checkpoint again");
        }
        return slices;
    }
}
