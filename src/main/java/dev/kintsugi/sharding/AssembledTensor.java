package dev.kintsugi.sharding;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/// A global tensor put together from chunks that tile it: every element comes from exactly one.
///
/// **Memory.** Nothing but the chunks; a read copies the runs it needs.
public final class AssembledTensor implements Tensor {
    private final TensorSpec spec;
    private final List<Runs> chunks;

    private AssembledTensor(TensorSpec spec, List<Runs> chunks) {
        this.spec = spec;
        this.chunks = chunks;
    }

    /// The tensor of `spec` that `chunks` tile; empty chunks are left out, and where one chunk is all of it,
    /// it stands for itself.
    ///
    /// **Errors.** [Fault] `K3005` for a gap or an overlap, `K3003` for a chunk of another dtype.
    public static Tensor of(TensorSpec spec, List<Chunk> chunks) {
        List<Chunk> kept = new ArrayList<>();
        List<Region> regions = new ArrayList<>();
        for (Chunk chunk : chunks) {
            if (chunk.region().isEmpty()) {
                continue;
            }
            kept.add(chunk);
            regions.add(chunk.region());
            if (chunk.local().spec().dtype() != spec.dtype()) {
                throw new Fault(
                        Code.K3003,
                        "a piece is " + chunk.local().spec().dtype() + ", the tensor " + spec.dtype(),
                        "the ranks were not saved by one run",
                        "compare the ranks with: shards");
            }
        }
        checkTiling(spec.shape(), regions);
        if (kept.size() == 1 && kept.getFirst().local().spec().equals(spec)) {
            return kept.getFirst().local();
        }
        List<Runs> runs = new ArrayList<>();
        for (Chunk chunk : kept) {
            runs.add(new Runs(spec.shape(), chunk));
        }
        return new AssembledTensor(spec, runs);
    }

    /// Checks that `regions` cover a tensor of `shape` exactly once.
    public static void checkTiling(Shape shape, List<Region> regions) {
        long covered = 0;
        for (Region region : regions) {
            if (!region.fitsIn(shape)) {
                throw misfit(region + " leaves the tensor " + shape);
            }
            covered = Math.addExact(covered, region.elementCount());
        }
        int along = finestDim(shape.ndim(), regions);
        List<Region> sorted = new ArrayList<>(regions);
        sorted.sort(Comparator.comparingLong(r -> r.ndim() == 0 ? 0 : r.offset().dim(along)));
        for (int i = 0; i < sorted.size(); i++) {
            Region one = sorted.get(i);
            for (int j = i + 1; j < sorted.size(); j++) {
                Region other = sorted.get(j);
                if (one.ndim() > 0 && other.offset().dim(along) >= one.end(along)) {
                    break;
                }
                if (one.intersect(other).isPresent()) {
                    throw misfit(one + " and " + other + " overlap");
                }
            }
        }
        if (covered != shape.elementCount()) {
            throw misfit("the pieces hold " + covered + " of " + shape.elementCount() + " elements of " + shape);
        }
    }

    /// The dim along which the regions begin at the most places: sorted by it, few overlap along it.
    private static int finestDim(int ndim, List<Region> regions) {
        int finest = 0;
        int most = 0;
        long[] begins = new long[regions.size()];
        for (int dim = 0; dim < ndim; dim++) {
            for (int i = 0; i < begins.length; i++) {
                begins[i] = regions.get(i).offset().dim(dim);
            }
            Arrays.sort(begins);
            int places = begins.length == 0 ? 0 : 1;
            for (int i = 1; i < begins.length; i++) {
                places += begins[i] == begins[i - 1] ? 0 : 1;
            }
            if (places > most) {
                most = places;
                finest = dim;
            }
        }
        return finest;
    }

    private static Fault misfit(String what) {
        return new Fault(
                Code.K3005,
                what,
                "a rank is missing, or was saved with another mesh or by another run",
                "look at the pieces with: placements; at the files with: shards");
    }

    @Override
    public TensorSpec spec() {
        return spec;
    }

    @Override
    public void read(long firstElement, long elementCount, MemorySegment target) {
        Objects.checkFromIndexSize(firstElement, elementCount, spec.elementCount());
        for (Runs chunk : chunks) {
            chunk.read(firstElement, firstElement + elementCount, target);
        }
    }

    /// One chunk as runs of elements that are contiguous in both the global and the local tensor.
    ///
    /// `runDim` is the first dim from which on runs are whole; one run is `runLength` elements.
    private static final class Runs {
        private static final long[] NONE = {};

        private final Tensor local;
        private final int width;
        private final long[] outer;
        private final long[] globalStep;
        private final long[] localStep;
        private final long globalStart;
        private final long runLength;
        private final long globalEnd;

        Runs(Shape global, Chunk chunk) {
            local = chunk.local();
            width = local.spec().dtype().byteWidth();
            Shape localShape = local.spec().shape();
            Region region = chunk.region();
            int runDim = region.ndim();
            boolean whole = true;
            while (runDim > 0 && whole) {
                runDim--;
                long extent = region.shape().dim(runDim);
                whole = extent == global.dim(runDim) && extent == localShape.dim(runDim);
            }
            Shape globalStrides = global.denseStrides();
            Shape localStrides = localShape.denseStrides();
            outer = runDim == 0 ? NONE : new long[runDim];
            globalStep = runDim == 0 ? NONE : new long[runDim];
            localStep = runDim == 0 ? NONE : new long[runDim];
            long start = 0;
            for (int dim = 0; dim < region.ndim(); dim++) {
                start += region.offset().dim(dim) * globalStrides.dim(dim);
                if (dim < runDim) {
                    outer[dim] = region.shape().dim(dim);
                    globalStep[dim] = globalStrides.dim(dim);
                    localStep[dim] = localStrides.dim(dim);
                }
            }
            globalStart = start;
            runLength = region.shape().elementCountFrom(runDim);
            long last = start;
            for (int dim = 0; dim < runDim; dim++) {
                last += (outer[dim] - 1) * globalStep[dim];
            }
            globalEnd = last + runLength;
        }

        /// Copies what this chunk holds of global elements `[from, to)`; element `from` is the start of
        /// `target`.
        void read(long from, long to, MemorySegment target) {
            if (to <= globalStart || from >= globalEnd) {
                return;
            }
            long[] index = firstRunEndingAfter(from);
            while (true) {
                long globalAt = globalStart;
                long localAt = 0;
                for (int dim = 0; dim < outer.length; dim++) {
                    globalAt += index[dim] * globalStep[dim];
                    localAt += index[dim] * localStep[dim];
                }
                if (globalAt >= to) {
                    return;
                }
                long skip = Math.max(0, from - globalAt);
                long count = Math.min(to, globalAt + runLength) - globalAt - skip;
                if (count > 0) {
                    long at = (globalAt + skip - from) * width;
                    local.read(localAt + skip, count, target.asSlice(at, count * width));
                }
                if (!advance(index)) {
                    return;
                }
            }
        }

        /// The index of the first run that may reach past `from`: digits are taken greedily, outermost first.
        private long[] firstRunEndingAfter(long from) {
            long[] index = new long[outer.length];
            long rest = from - globalStart;
            for (int dim = 0; dim < outer.length && rest > 0; dim++) {
                index[dim] = Math.min(rest / globalStep[dim], outer[dim] - 1);
                rest -= index[dim] * globalStep[dim];
            }
            return index;
        }

        private boolean advance(long[] index) {
            for (int dim = outer.length - 1; dim >= 0; dim--) {
                if (++index[dim] < outer[dim]) {
                    return true;
                }
                index[dim] = 0;
            }
            return false;
        }
    }
}
