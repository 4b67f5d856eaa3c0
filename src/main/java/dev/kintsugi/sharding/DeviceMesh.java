package dev.kintsugi.sharding;

import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// The grid of ranks, row-major, with one named axis per mesh dim. A cell may have no rank: where Megatron spreads
/// experts over other ranks than the rest, not every pair of coordinates is one.
///
/// **Errors.** [IllegalArgumentException] if names, shape and ranks do not belong together or a rank occurs
/// twice.
public final class DeviceMesh {
    /// What stands among the ranks where a cell has none.
    public static final int NO_RANK = -1;

    private final List<String> dimNames;
    private final Shape shape;
    private final int[] ranks;
    private final boolean ascending;

    private DeviceMesh(List<String> dimNames, Shape shape, int[] ranks) {
        this.dimNames = dimNames;
        this.shape = shape;
        this.ranks = ranks;
        boolean ascend = true;
        for (int position = 1; position < ranks.length; position++) {
            ascend &= ranks[position - 1] < ranks[position];
        }
        this.ascending = ascend;
    }

    /// `dimNames` may be shorter than the mesh has dims: the others are called `dim0`, `dim1`, …
    public static DeviceMesh of(List<String> dimNames, Shape shape, int[] ranks) {
        if (ranks.length != shape.elementCount()) {
            throw new IllegalArgumentException("a mesh of " + shape + " has no " + ranks.length + " ranks");
        }
        long holes = Arrays.stream(ranks).filter(r -> r == NO_RANK).count();
        if (Arrays.stream(ranks).filter(r -> r != NO_RANK).distinct().count() != ranks.length - holes) {
            throw new IllegalArgumentException("a rank stands twice in the mesh " + Arrays.toString(ranks));
        }
        List<String> names = new ArrayList<>(dimNames);
        for (int dim = names.size(); dim < shape.ndim(); dim++) {
            names.add("dim" + dim);
        }
        if (names.size() != shape.ndim()) {
            throw new IllegalArgumentException("a mesh of " + shape + " has no dims " + dimNames);
        }
        return new DeviceMesh(List.copyOf(names), shape, ranks.clone());
    }

    /// Ranks 0, 1, 2, … laid out row-major.
    public static DeviceMesh dense(List<String> dimNames, Shape shape) {
        int[] ranks = new int[Math.toIntExact(shape.elementCount())];
        Arrays.setAll(ranks, i -> i);
        return of(dimNames, shape, ranks);
    }

    public List<String> dimNames() {
        return dimNames;
    }

    public Shape shape() {
        return shape;
    }

    public int ndim() {
        return shape.ndim();
    }

    /// Ranks in row-major order, [#NO_RANK] where a cell has none.
    public int[] ranks() {
        return ranks.clone();
    }

    /// How many ranks there are.
    public int size() {
        return Math.toIntExact(Arrays.stream(ranks).filter(r -> r != NO_RANK).count());
    }

    /// The coordinates of the cells without a rank.
    public List<int[]> holes() {
        return IntStream.range(0, ranks.length)
                .filter(position -> ranks[position] == NO_RANK)
                .mapToObj(this::coordinateOfPosition)
                .toList();
    }

    /// `pp=0 dp=1 tp=3`: one of the coordinates of this mesh.
    public String text(int[] coordinate) {
        List<String> parts = new ArrayList<>();
        for (int dim = 0; dim < ndim(); dim++) {
            parts.add(dimNames.get(dim) + "=" + coordinate[dim]);
        }
        return String.join(" ", parts);
    }

    /// Where `rank` stands: one index per mesh dim, or nothing if it is not on the mesh.
    public Optional<int[]> coordinate(int rank) {
        if (rank < 0) {
            return Optional.empty();
        }
        if (rank < ranks.length && ranks[rank] == rank) {
            return Optional.of(coordinateOfPosition(rank));
        }
        for (int position = 0; position < ranks.length; position++) {
            if (ranks[position] == rank) {
                return Optional.of(coordinateOfPosition(position));
            }
        }
        return Optional.empty();
    }

    /// Which piece of each mesh dim `rank` has: its place among the ranks that differ from it along that dim
    /// only, in ascending order; nothing if it is not on the mesh.
    ///
    /// That is its [#coordinate(int)] unless the mesh lists ranks out of order: torch deals pieces out by rank
    /// in the process group, and numbers the ranks of a group in ascending order however the mesh lists them.
    /// **Source.** `torch/distributed/distributed_c10d.py`, `new_group` and `split_group`.
    public Optional<int[]> pieces(int rank) {
        if (ascending) {
            return coordinate(rank);
        }
        return coordinate(rank).map(coordinate -> {
            int[] pieces = new int[coordinate.length];
            Shape strides = shape.denseStrides();
            for (int dim = 0; dim < pieces.length; dim++) {
                int first = 0;
                for (int other = 0; other < coordinate.length; other++) {
                    first += other == dim ? 0 : coordinate[other] * Math.toIntExact(strides.dim(other));
                }
                for (int i = 0; i < shape.dim(dim); i++) {
                    pieces[dim] += ranks[first + i * Math.toIntExact(strides.dim(dim))] < rank ? 1 : 0;
                }
            }
            return pieces;
        });
    }

    private int[] coordinateOfPosition(int position) {
        int[] coordinate = new int[shape.ndim()];
        int rest = position;
        for (int dim = shape.ndim() - 1; dim >= 0; dim--) {
            int extent = Math.toIntExact(shape.dim(dim));
            coordinate[dim] = rest % extent;
            rest /= extent;
        }
        return coordinate;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof DeviceMesh that
                && dimNames.equals(that.dimNames)
                && shape.equals(that.shape)
                && Arrays.equals(ranks, that.ranks);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * dimNames.hashCode() + shape.hashCode()) + Arrays.hashCode(ranks);
    }

    /// `fsdp=4 × tp=2`.
    @Override
    public String toString() {
        List<String> dims = new ArrayList<>();
        for (int dim = 0; dim < ndim(); dim++) {
            dims.add(dimNames.get(dim) + "=" + shape.dim(dim));
        }
        return String.join(" × ", dims);
    }
}
