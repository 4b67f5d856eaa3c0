package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;

/// A tensor of which ranks that are not there hold parts: it can be drawn, not read.
record HoleTensor(String model, String name, Layout layout) implements Tensor {
    @Override
    public TensorSpec spec() {
        return layout.spec();
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        throw new Fault(
                Code.K3001,
                name + " of " + model + " has a hole",
                "a missing rank holds a part of it; see: explain " + model + " " + name,
                layout.pieces().stream()
                                .findFirst()
                                .map(p -> "look at what one rank holds with --rank " + p.rank() + ", or ")
                                .orElse("")
                        + "copy the missing rank and open again");
    }
}
