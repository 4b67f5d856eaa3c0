package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.sharding.Chunk;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.List;

/// Lays the models' tensors end to end along one dim: the same bits, no arithmetic.
///
/// A tensor without that dim must be the same in all models.
final class Concatenation {
    /// Stands in the register; concatenating makes no kernels.
    static final Kernel.Maker MAKER = tasks -> task -> {
        throw new IllegalStateException("concatenate has no kernel");
    };

    private Concatenation() {}

    static Tensor of(String name, List<Input> models, long dimGiven) {
        Shape first = models.getFirst().model().tensor(name).spec().shape();
        long dim = dimGiven < 0 ? dimGiven + first.ndim() : dimGiven;
        if (dim < 0 || dim >= first.ndim()) {
            return new EqualTensor(name, models);
        }
        int along = (int) dim;
        List<Chunk> chunks = new ArrayList<>();
        long extent = 0;
        for (Input model : models) {
            Tensor tensor = model.model().tensor(name);
            Shape shape = tensor.spec().shape();
            if (shape.ndim() != first.ndim()
                    || !shape.with(along, 0).equals(first.with(along, 0))
                    || tensor.spec().dtype()
                            != models.getFirst().model().tensor(name).spec().dtype()) {
                throw new Fault(
                        Code.K7003,
                        name + " is " + models.getFirst().model().tensor(name).spec() + " in "
                                + models.getFirst().name() + " and " + tensor.spec() + " in " + model.name(),
                        "along dim " + along + " only that extent may differ",
                        "choose another --dim, or leave the tensor out with --layers");
            }
            long[] offset = new long[first.ndim()];
            offset[along] = extent;
            chunks.add(new Chunk(new Region(Shape.of(offset), shape), tensor));
            extent = Math.addExact(extent, shape.dim(along));
        }
        TensorSpec spec =
                new TensorSpec(models.getFirst().model().tensor(name).spec().dtype(), first.with(along, extent));
        return AssembledTensor.of(spec, chunks);
    }
}
