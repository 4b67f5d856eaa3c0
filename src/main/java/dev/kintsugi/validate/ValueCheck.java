package dev.kintsugi.validate;

import dev.kintsugi.fault.Code;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Looks at every value: NaN, infinities, tensors that are zero or constant throughout.
final class ValueCheck {
    private static final int BLOCK_BYTES = 1 << 20;

    private ValueCheck() {}

    static List<Finding> run(StateDict tensors, Job job) {
        tensors.tensors().values().forEach(t -> job.expect(t.spec().byteCount()));
        List<Map.Entry<String, Tensor>> entries = List.copyOf(tensors.tensors().entrySet());
        return Parallel.map(job, entries, e -> check(e.getKey(), e.getValue(), job)).stream()
                .flatMap(Optional::stream)
                .toList();
    }

    private static Optional<Finding> check(String name, Tensor tensor, Job job) {
        DType dtype = tensor.spec().dtype();
        if (!dtype.isFloat() || tensor.spec().elementCount() == 0) {
            job.advance(tensor.spec().byteCount());
            return Optional.empty();
        }
        Counts counts = new Counts();
        int blockElements = BLOCK_BYTES / 8;
        double[] values = new double[blockElements];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(BLOCK_BYTES);
            long count = tensor.spec().elementCount();
            for (long from = 0; from < count; from += blockElements) {
                int length = (int) Math.min(blockElements, count - from);
                MemorySegment bytes = block.asSlice(0, (long) length * dtype.byteWidth());
                tensor.read(from, length, bytes);
                Elements.toDoubles(dtype, bytes, values, length);
                counts.add(values, length);
                job.advance(bytes.byteSize());
            }
        }
        return counts.finding(name, tensor.spec().elementCount());
    }

    /// What the values of one tensor have shown so far.
    private static final class Counts {
        private long nan;
        private long infinite;
        private double first = Double.NaN;
        private boolean constant = true;
        private boolean started;

        void add(double[] values, int length) {
            if (!started) {
                first = values[0];
                started = true;
            }
            for (int i = 0; i < length; i++) {
                double value = values[i];
                constant &= value == first;
                if (!Double.isFinite(value)) {
                    nan += Double.isNaN(value) ? 1 : 0;
                    infinite += Double.isNaN(value) ? 0 : 1;
                }
            }
        }

        Optional<Finding> finding(String name, long count) {
            if (nan > 0 || infinite > 0) {
                return Optional.of(Finding.error(
                        Code.K6001,
                        name,
                        String.format(Locale.ROOT, "%,d NaN and %,d infinite of %,d values", nan, infinite, count)));
            }
            if (constant && count > 1 && first == 0) {
                return Optional.of(Finding.note(Code.K6001, name, "all zero"));
            }
            return Optional.empty();
        }
    }
}
