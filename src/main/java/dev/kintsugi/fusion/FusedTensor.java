package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// A tensor that is computed from those of several models when it is read.
///
/// **Numbers.** Decoded exactly, combined in `double`, rounded once to the dtype of [#spec()].
/// **Memory.** A read holds one block of every model, decoded.
/// **Errors.** [Fault] `K7004` if an element is not finite in the target dtype and that was not allowed;
/// `K7005` where the method has no result for these tensors.
public final class FusedTensor implements Tensor {
    private final Task task;
    private final TensorSpec spec;
    private final Kernel kernel;
    private final Once<Kernel.Combiner> combiner;
    private final boolean allowNonFinite;

    FusedTensor(Task task, TensorSpec spec, Kernel kernel, boolean allowNonFinite) {
        this.task = task;
        this.spec = spec;
        this.kernel = kernel;
        this.combiner = new Once<>(kernel::prepare);
        this.allowNonFinite = allowNonFinite;
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    /// The formula with the numbers that hold for this tensor, as in `0.0909·a + 0.9091·b`.
    public String formula() {
        return kernel.formula();
    }

    /// How often all of [#parents()] is read, as a rule, before the first element is known; with attention
    /// scaled over the model this is one sweep over the whole model.
    @Override
    public int earlierSweeps() {
        return kernel.earlierSweeps();
    }

    /// The tensors it is made of: the models' in their order, then the base's.
    public List<Tensor> parents() {
        List<Tensor> parents = new ArrayList<>(task.sources().inputs());
        task.sources().base().ifPresent(parents::add);
        return parents;
    }

    /// The names of [#parents()].
    public List<String> parentNames() {
        List<String> names = new ArrayList<>(task.models());
        if (task.sources().hasBase()) {
            names.add(task.baseName());
        }
        return names;
    }

    /// What attention found in this tensor, if that is the method. Reads the whole model at its first use.
    public Optional<AttentionReport> attention() {
        return kernel instanceof AttentionKernel attention ? Optional.of(attention.report()) : Optional.empty();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        if (elementCount == 0) {
            return;
        }
        int width = spec.dtype().byteWidth();
        sweep(firstElement, elementCount, (fused, skip, count, at) -> {
            if (skip > 0) {
                System.arraycopy(fused, skip, fused, 0, count);
            }
            if (!allowNonFinite) {
                checkFinite(fused, count);
            }
            long byteOffset = (at - firstElement) * width;
            Elements.fromDoubles(spec.dtype(), fused, target.asSlice(byteOffset, (long) count * width), count);
        });
    }

    /// Takes computed elements: `fused[skip..skip + count)` are those from element `at` of the tensor on.
    private interface Taker {
        void take(double[] fused, int skip, int count, long at);
    }

    private void sweep(long firstElement, long elementCount, Taker taker) {
        Kernel.Combiner combine = combiner.get();
        long alignment = combine.alignment();
        long from = firstElement / alignment * alignment;
        long end = firstElement + elementCount;
        long alignedEnd = Math.min(spec.elementCount(), Math.ceilDiv(end, alignment) * alignment);
        int capacity = (int) Math.min(Sources.blockElements(alignment), alignedEnd - from);
        double[] fused = new double[capacity];
        try (Sources.Reader reader = task.sources().reader(capacity)) {
            for (long first = from; first < alignedEnd; first += capacity) {
                int count = (int) Math.min(capacity, alignedEnd - first);
                combine.combine(reader.read(first, count), fused);
                int skip = (int) Math.max(0, firstElement - first);
                int wanted = (int) Math.min(count, end - first) - skip;
                taker.take(fused, skip, wanted, first + skip);
            }
        }
    }

    private void checkFinite(double[] values, int count) {
        double border = overflowBorder(spec.dtype());
        int sides = 0;
        for (int j = 0; j < count; j++) {
            sides += (int) Math.signum(Math.abs(values[j]) - border);
        }
        if (sides != -count) {
            throw notFinite(border);
        }
    }

    /// Counts over the whole tensor: what is wrong with it is asked once, and a block tells little.
    private Fault notFinite(double border) {
        long[] counts = new long[3];
        long[] first = {-1};
        double[] firstValue = new double[1];
        sweep(0, spec.elementCount(), (fused, skip, count, at) -> {
            for (int j = skip; j < skip + count; j++) {
                double value = fused[j];
                if (Math.abs(value) < border) {
                    continue;
                }
                counts[Double.isNaN(value) ? 0 : Double.isInfinite(value) ? 1 : 2]++;
                if (first[0] < 0) {
                    first[0] = at + j - skip;
                    firstValue[0] = value;
                }
            }
        });
        return new Fault(
                Code.K7004,
                String.format(
                        Locale.ROOT,
                        "%s: %d of %d elements are not finite in %s (%s); the first is element %d, %s",
                        task.name(),
                        counts[0] + counts[1] + counts[2],
                        spec.elementCount(),
                        spec.dtype(),
                        kinds(counts),
                        first[0],
                        firstValue[0]),
                counts[0] + counts[1] == 0
                        ? "the result is larger than " + spec.dtype() + " holds"
                        : "a model holds NaN or Inf there, or the method's numbers have no limit",
                "find the model with: stats; or fuse with a wider --dtype, or --allow-non-finite");
    }

    private static String kinds(long[] counts) {
        String[] names = {"NaN", "Inf", "too large"};
        return IntStream.range(0, names.length)
                .filter(i -> counts[i] > 0)
                .mapToObj(i -> counts[i] + " " + names[i])
                .collect(Collectors.joining(", "));
    }

    /// The least magnitude that rounds to infinity.
    private static double overflowBorder(DType dtype) {
        return switch (dtype) {
            case BF16 -> 0x1.FFp127;
            case F16 -> 65520;
            case F32 -> 0x1.ffffffp127;
            default -> Double.POSITIVE_INFINITY;
        };
    }
}
