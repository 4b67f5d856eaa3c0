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
import java.util.Objects;
import java.util.Optional;

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
        Kernel.Combiner combine = combiner.get();
        long alignment = combine.alignment();
        long from = firstElement / alignment * alignment;
        long end = firstElement + elementCount;
        long alignedEnd = Math.min(spec.elementCount(), Math.ceilDiv(end, alignment) * alignment);
        int capacity = (int) Math.min(Sources.blockElements(alignment), alignedEnd - from);
        Sources.Reader reader = task.sources().reader(capacity);
        double[] fused = new double[capacity];
        int width = spec.dtype().byteWidth();
        for (long first = from; first < alignedEnd; first += capacity) {
            int count = (int) Math.min(capacity, alignedEnd - first);
            combine.combine(reader.read(first, count), fused);
            int skip = (int) Math.max(0, firstElement - first);
            int wanted = (int) Math.min(count, end - first) - skip;
            if (skip > 0) {
                System.arraycopy(fused, skip, fused, 0, wanted);
            }
            if (!allowNonFinite) {
                checkFinite(fused, wanted, first + skip);
            }
            long at = (first + skip - firstElement) * width;
            Elements.fromDoubles(spec.dtype(), fused, target.asSlice(at, (long) wanted * width), wanted);
        }
    }

    private void checkFinite(double[] values, int count, long first) {
        double border = overflowBorder(spec.dtype());
        int bad = 0;
        int firstBad = 0;
        for (int j = count - 1; j >= 0; j--) {
            if (!(Math.abs(values[j]) < border)) {
                bad++;
                firstBad = j;
            }
        }
        if (bad > 0) {
            throw new Fault(
                    Code.K7004,
                    String.format(
                            "%s: %d of %d elements from %d on are not finite in %s; element %d is %s",
                            task.name(), bad, count, first, spec.dtype(), first + firstBad, values[firstBad]),
                    Double.isFinite(values[firstBad])
                            ? "the result is larger than " + spec.dtype() + " holds"
                            : "a model holds NaN or Inf there, or the method's numbers have no limit",
                    "find the model with: stats; or fuse with a wider --dtype, or --allow-non-finite");
        }
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
