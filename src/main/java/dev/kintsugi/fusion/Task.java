package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import java.util.List;

/// One tensor to fuse: its name, its sources in all models, and the options that hold for it.
record Task(String name, Shape shape, Sources sources, Parameters parameters, List<String> models, String baseName) {
    /// The length of a vector along the last axis; all of a scalar.
    long lastAxis() {
        return shape.ndim() == 0 ? 1 : Math.max(1, shape.dim(shape.ndim() - 1));
    }

    long elementCount() {
        return sources.elementCount();
    }

    Fault undefined(String what, String why, String next) {
        return new Fault(Code.K7005, name + ": " + what, why, next);
    }

    Fault badOption(String what, String why, String next) {
        return new Fault(Code.K7002, what + " for " + name, why, next);
    }

    /// Elements of a row that a kernel must hold at once. **Errors.** [Fault] `K7005` beyond what fits a block.
    long wholeRow() {
        if (lastAxis() > 1 << 24) {
            throw undefined(
                    "a row of " + lastAxis() + " elements",
                    "this method ranks or weighs whole rows, which must fit into memory",
                    "leave the tensor out with a selection, or choose another method");
        }
        return lastAxis();
    }
}
