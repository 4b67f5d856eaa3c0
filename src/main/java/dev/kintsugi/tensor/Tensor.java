package dev.kintsugi.tensor;

import java.lang.foreign.MemorySegment;

/// A promise of elements: mapped, strided, reassembled, renamed, cast and fused tensors all implement it, and
/// statistics, diff, validation and export know nothing else.
///
/// **Units.** Elements are numbered in row-major order from 0. Bytes are little-endian and dense, whatever
/// the source.
/// **Threads.** Any number of threads may read at once.
/// **Memory.** An implementation keeps no more than a block at a time; the caller owns `target`.
public interface Tensor {
    TensorSpec spec();

    /// Copies elements `[firstElement, firstElement + elementCount)` to the start of `target`.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if the range leaves the tensor or `target` is too small;
    /// [dev.kintsugi.fault.Fault] if the file behind it was cut short or changed.
    void read(long firstElement, long elementCount, MemorySegment target);

    /// How often, as a rule, all elements are looked at before the first is known: 0 but for tensors that are
    /// computed.
    default int earlierSweeps() {
        return 0;
    }

    /// The same elements before they were rounded to the dtype of [#spec()], for who computes with them further;
    /// the tensor itself but for those that are computed.
    default Tensor unrounded() {
        return this;
    }
}
