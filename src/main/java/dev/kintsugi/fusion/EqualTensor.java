package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// A tensor of integers or flags, which is not averaged: all models must hold the same.
///
/// **Errors.** [Fault] `K7003` when an element is read in which they differ.
final class EqualTensor implements Tensor {
    private final String name;
    private final List<Input> models;

    EqualTensor(String name, List<Input> models) {
        this.name = name;
        this.models = models;
    }

    private Tensor of(Input model) {
        return model.model().tensor(name);
    }

    @Override
    public TensorSpec spec() {
        return of(models.getFirst()).spec();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        of(models.getFirst()).read(firstElement, elementCount, target);
        int width = spec().dtype().byteWidth();
        int blockElements = (int) Math.min(Sources.BLOCK_ELEMENTS, Math.max(1, elementCount));
        MemorySegment other = MemorySegment.ofArray(new byte[blockElements * width]);
        for (Input model : models.subList(1, models.size())) {
            for (long at = 0; at < elementCount; at += blockElements) {
                long count = Math.min(blockElements, elementCount - at);
                of(model).read(firstElement + at, count, other);
                long differs = target.asSlice(at * width, count * width).mismatch(other.asSlice(0, count * width));
                if (differs >= 0) {
                    throw new Fault(
                            Code.K7003,
                            name + " (" + spec() + ") differs between "
                                    + models.getFirst().name() + " and " + model.name() + " at element "
                                    + (firstElement + at + differs / width),
                            "integers and flags are indices or settings; their average means nothing",
                            "leave it out of the selection, and choose whose to keep with --rest");
                }
            }
        }
    }
}
