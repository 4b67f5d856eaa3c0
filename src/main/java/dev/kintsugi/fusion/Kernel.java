package dev.kintsugi.fusion;

import java.util.List;
import java.util.function.Function;

/// A method applied to one tensor. Making one checks its options and reads nothing.
interface Kernel {
    /// Sweeps over the tensor as often as the method needs and gives what combines its blocks.
    Combiner prepare();

    /// The formula with the numbers that hold for this tensor.
    String formula();

    /// How often [#prepare()] reads all sources, as a rule: what a first look costs.
    default int earlierSweeps() {
        return 0;
    }

    /// Combines blocks, in any order, on any number of threads.
    interface Combiner {
        /// Writes the fused elements of `block` to `fused[0..block.count())`.
        void combine(Block block, double[] fused);

        /// Blocks must begin at a multiple of this many elements and hold a whole number of such runs.
        default long alignment() {
            return 1;
        }
    }

    /// Makes the kernels of a fusion, given all its tensors at once: a method may look across tensors.
    interface Maker {
        Function<Task, Kernel> open(List<Task> tasks);

        /// A method that looks at one tensor at a time.
        static Maker each(Function<Task, Kernel> kernel) {
            return tasks -> kernel;
        }
    }
}
