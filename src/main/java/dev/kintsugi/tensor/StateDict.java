package dev.kintsugi.tensor;

import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// Ordered fully qualified names and their tensors. Immutable; a fused, renamed or filtered model is a state dict
/// again.
public final class StateDict {
    private final SequencedMap<String, Tensor> tensors;

    /// Counted when first asked for; to count twice at once does no harm.
    private @Nullable Totals totals;

    private StateDict(SequencedMap<String, Tensor> tensors) {
        this.tensors = tensors;
    }

    /// The tensors of `tensors` in its order.
    public static StateDict of(Map<String, ? extends Tensor> tensors) {
        return new StateDict(Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors)));
    }

    /// The same without a copy: `tensors` must not change any more.
    public static StateDict backedBy(SequencedMap<String, Tensor> tensors) {
        return new StateDict(Collections.unmodifiableSequencedMap(tensors));
    }

    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(tensors.sequencedKeySet());
    }

    public SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    public int size() {
        return tensors.size();
    }

    public boolean has(String name) {
        return tensors.containsKey(name);
    }

    public Optional<Tensor> find(String name) {
        return Optional.ofNullable(tensors.get(name));
    }

    /// The tensor named `name`. **Errors.** [IllegalArgumentException] if there is none.
    public Tensor tensor(String name) {
        return find(name).orElseThrow(() -> new IllegalArgumentException("no tensor " + name));
    }

    public StateDict filter(Predicate<String> keep) {
        LinkedHashMap<String, Tensor> kept = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            if (keep.test(name)) {
                kept.put(name, tensor);
            }
        });
        return of(kept);
    }

    /// The same tensors under other names. **Errors.** [IllegalArgumentException] if two names become one.
    public StateDict rename(UnaryOperator<String> rename) {
        LinkedHashMap<String, Tensor> renamed = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            if (renamed.put(rename.apply(name), tensor) != null) {
                throw new IllegalArgumentException("two tensors would be named " + rename.apply(name));
            }
        });
        return of(renamed);
    }

    /// Elements of all tensors together.
    public long elementCount() {
        return totals().elements();
    }

    /// Bytes of all tensors together, each dense.
    public long byteCount() {
        return totals().bytes();
    }

    /// How many tensors have each dtype, in the order of [DType].
    public Map<DType, Integer> dtypes() {
        return totals().dtypes();
    }

    private Totals totals() {
        Totals known = totals;
        if (known == null) {
            known = Totals.of(tensors.values());
            totals = known;
        }
        return known;
    }

    private record Totals(long elements, long bytes, Map<DType, Integer> dtypes) {
        static Totals of(Iterable<Tensor> tensors) {
            long elements = 0;
            long bytes = 0;
            int[] counts = new int[DType.values().length];
            for (Tensor tensor : tensors) {
                TensorSpec spec = tensor.spec();
                elements = Math.addExact(elements, spec.elementCount());
                bytes = Math.addExact(bytes, spec.byteCount());
                counts[spec.dtype().ordinal()]++;
            }
            Map<DType, Integer> dtypes = new EnumMap<>(DType.class);
            for (DType dtype : DType.values()) {
                if (counts[dtype.ordinal()] > 0) {
                    dtypes.put(dtype, counts[dtype.ordinal()]);
                }
            }
            return new Totals(elements, bytes, Collections.unmodifiableMap(dtypes));
        }
    }
}
