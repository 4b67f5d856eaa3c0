package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.LocalSlice;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.DTensor;
import java.util.ArrayList;
import java.util.List;

/// The meshes that the size of a local tensor allows.
final class MeshFit {
    private MeshFit() {}

    /// Meshes of `worldSize` ranks, such as `2x4`, on which the first rank's piece of `value` has the size it
    /// has.
    static List<String> fitting(int worldSize, DTensor value) {
        List<String> fitting = new ArrayList<>();
        collect(worldSize, new long[value.placements().size()], 0, value, fitting);
        return fitting;
    }

    private static void collect(int rest, long[] sizes, int dim, DTensor value, List<String> fitting) {
        if (dim == sizes.length) {
            if (rest == 1 && fits(Shape.of(sizes), value)) {
                List<String> text = new ArrayList<>();
                for (long size : sizes) {
                    text.add(Long.toString(size));
                }
                fitting.add(String.join("x", text));
            }
            return;
        }
        for (int size = 1; size <= rest; size++) {
            if (rest % size == 0) {
                sizes[dim] = size;
                collect(rest / size, sizes, dim + 1, value, fitting);
            }
        }
    }

    private static boolean fits(Shape mesh, DTensor value) {
        try {
            LocalSlice slice = LocalSlice.of(value.spec().shape(), mesh, new int[mesh.ndim()], value.placements());
            return slice.padded().equals(value.local().spec().shape());
        } catch (Fault e) {
            return false;
        }
    }
}
