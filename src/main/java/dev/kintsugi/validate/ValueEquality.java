package dev.kintsugi.validate;

import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// Whether two models are the same to the bit.
public final class ValueEquality {
    private ValueEquality() {}

    /// The first difference between `a` and `b` in words: a name one lacks, a spec, an element.
    public static Optional<String> firstDifference(StateDict a, StateDict b, Job job) {
        for (String name : a.names()) {
            if (!b.has(name)) {
                return Optional.of(name + " is in the first only");
            }
        }
        for (String name : b.names()) {
            if (!a.has(name)) {
                return Optional.of(name + " is in the second only");
            }
        }
        a.tensors().values().forEach(t -> job.expect(t.spec().byteCount()));
        return Parallel.map(job, List.copyOf(a.names()), name -> compare(name, a.tensor(name), b.tensor(name), job))
                .stream()
                .flatMap(Optional::stream)
                .findFirst();
    }

    private static Optional<String> compare(String name, Tensor a, Tensor b, Job job) {
        if (!a.spec().equals(b.spec())) {
            return Optional.of(name + " is " + a.spec() + " and " + b.spec());
        }
        OptionalLong difference = Equality.firstDifference(a, b, job);
        job.advance(a.spec().byteCount());
        return difference.isPresent()
                ? Optional.of(name + " from element " + difference.getAsLong() + " on")
                : Optional.empty();
    }
}
