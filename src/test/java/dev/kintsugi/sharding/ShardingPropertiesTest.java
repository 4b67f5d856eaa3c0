package dev.kintsugi.sharding;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.Placement.Replicate;
import dev.kintsugi.sharding.Placement.Shard;
import dev.kintsugi.sharding.Placement.StridedShard;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Random meshes, shapes and placements against a slow, obvious model: an N-D array of element numbers that is chunked
/// with lists, the way `torch.chunk` is documented.
class ShardingPropertiesTest {
    private static final int[] SIZES = {1, 1, 2, 2, 3, 4, 5, 7};

    static List<Long> seeds() {
        List<Long> seeds = new ArrayList<>();
        for (long seed = 1; seed <= 400; seed++) {
            seeds.add(seed);
        }
        return seeds;
    }

    /// A tensor of bytes in memory.
    private record InMemory(TensorSpec spec, byte[] bytes) implements Tensor {
        @Override
        public void read(long first, long count, MemorySegment target) {
            int width = spec.dtype().byteWidth();
            MemorySegment.copy(MemorySegment.ofArray(bytes), first * width, target, 0, count * width);
        }
    }

    /// The slow model of a local tensor: for each dim, which global indices it holds.
    private static List<List<Long>> slowIndices(
            Shape global, Shape mesh, int[] coordinate, List<Placement> placements) {
        List<List<Long>> indices = new ArrayList<>();
        for (int dim = 0; dim < global.ndim(); dim++) {
            List<Long> all = new ArrayList<>();
            for (long i = 0; i < global.dim(dim); i++) {
                all.add(i);
            }
            indices.add(all);
        }
        for (int meshDim : slowOrder(mesh, placements)) {
            int dim = switch (placements.get(meshDim)) {
                case Shard shard -> shard.dim();
                case StridedShard strided -> strided.dim();
                default -> -1;
            };
            if (dim >= 0) {
                indices.set(dim, chunks(indices.get(dim), mesh.dim(meshDim)).get(coordinate[meshDim]));
            }
        }
        return indices;
    }

    /// Mesh dims in splitting order: the tests make at most one strided shard, of everything to its right.
    private static List<Integer> slowOrder(Shape mesh, List<Placement> placements) {
        List<Integer> order = new ArrayList<>();
        List<Integer> late = new ArrayList<>();
        for (int dim = 0; dim < mesh.ndim(); dim++) {
            (placements.get(dim) instanceof StridedShard ? late : order).add(dim);
        }
        order.addAll(late);
        return order;
    }

    /// `torch.chunk`: pieces of ceil(n / parts), the rest shorter, then empty ones.
    private static List<List<Long>> chunks(List<Long> items, long parts) {
        int step = (int) Math.ceilDiv(items.size(), parts);
        List<List<Long>> chunks = new ArrayList<>();
        for (int part = 0; part < parts; part++) {
            int from = Math.min(items.size(), part * step);
            chunks.add(items.subList(from, Math.min(items.size(), from + step)));
        }
        return chunks;
    }

    private static byte[] gather(byte[] global, Shape shape, List<List<Long>> indices, int width) {
        List<Long> flat = new ArrayList<>(List.of(0L));
        Shape strides = shape.denseStrides();
        for (int dim = 0; dim < shape.ndim(); dim++) {
            List<Long> next = new ArrayList<>();
            for (long base : flat) {
                for (long index : indices.get(dim)) {
                    next.add(base + index * strides.dim(dim));
                }
            }
            flat = next;
        }
        byte[] local = new byte[flat.size() * width];
        for (int i = 0; i < flat.size(); i++) {
            System.arraycopy(global, (int) (flat.get(i) * width), local, i * width, width);
        }
        return local;
    }

    private static Shape randomShape(Random random, Shape mesh) {
        int ndim = 1 + random.nextInt(3);
        long[] dims = new long[ndim];
        for (int dim = 0; dim < ndim; dim++) {
            int ranks = (int) mesh.elementCount();
            dims[dim] = switch (random.nextInt(6)) {
                case 0 -> random.nextInt(3);
                case 1 -> Math.max(0, Math.min(24, ranks) - 1);
                case 2 -> Math.min(24, ranks);
                case 3 -> Math.min(24, ranks) + 1;
                default -> 1 + random.nextInt(17);
            };
        }
        return Shape.of(dims);
    }

    private static List<Placement> randomPlacements(Random random, Shape mesh, int ndim) {
        List<Placement> placements = new ArrayList<>();
        for (int dim = 0; dim < mesh.ndim(); dim++) {
            placements.add(random.nextInt(4) == 0 ? new Replicate() : new Shard(random.nextInt(ndim)));
        }
        int strided = random.nextInt(mesh.ndim());
        if (random.nextBoolean() && placements.get(strided) instanceof Shard shard) {
            int factor = 1;
            boolean leftSplits = false;
            for (int dim = 0; dim < mesh.ndim(); dim++) {
                boolean same = placements.get(dim).equals(shard);
                leftSplits |= same && dim < strided;
                factor *= same && dim > strided ? (int) mesh.dim(dim) : 1;
            }
            if (!leftSplits) {
                placements.set(strided, new StridedShard(shard.dim(), factor));
            }
        }
        return placements;
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void localTensorsComeBackAsTheWhole(long seed) {
        Random random = new Random(seed);
        long[] sizes = new long[1 + random.nextInt(4)];
        Arrays.setAll(sizes, i -> SIZES[random.nextInt(SIZES.length)]);
        Shape mesh = Shape.of(sizes);
        Shape shape = randomShape(random, mesh);
        DType dtype = DType.values()[random.nextInt(DType.values().length)];
        int width = dtype.byteWidth();
        byte[] whole = new byte[Math.toIntExact(shape.elementCount() * width)];
        random.nextBytes(whole);
        List<Placement> placements = randomPlacements(random, mesh, shape.ndim());
        DeviceMesh ranks = DeviceMesh.dense(List.of(), mesh);
        boolean padded = random.nextInt(3) == 0;

        Map<Region, Chunk> chunks = new LinkedHashMap<>();
        for (int rank : ranks.ranks()) {
            int[] coordinate = ranks.coordinate(rank).orElseThrow();
            LocalSlice slice = LocalSlice.of(shape, mesh, coordinate, placements);
            List<List<Long>> indices = slowIndices(shape, mesh, coordinate, placements);
            Shape expected = Shape.of(indices.stream().map(i -> (long) i.size()).toList());
            if (expected.elementCount() > 0 || !slice.region().isEmpty()) {
                assertEquals(expected, slice.region().shape(), () -> describe(seed, shape, mesh, placements));
            }
            byte[] bytes = gather(whole, shape, indices, width);
            Tensor local = new InMemory(new TensorSpec(dtype, slice.region().shape()), bytes);
            chunks.putIfAbsent(
                    slice.region(), new Chunk(slice.region(), padded ? pad(local, slice.padded(), random) : local));
        }
        Tensor assembled = AssembledTensor.of(new TensorSpec(dtype, shape), List.copyOf(chunks.values()));
        byte[] read = new byte[whole.length];
        int block = 1 + random.nextInt(40);
        for (long from = 0; from < shape.elementCount(); from += block) {
            long count = Math.min(block, shape.elementCount() - from);
            assembled.read(from, count, MemorySegment.ofArray(read).asSlice(from * width, count * width));
        }
        assertArrayEquals(whole, read, () -> describe(seed, shape, mesh, placements));
    }

    /// The same elements at the start of a larger tensor full of garbage.
    private static Tensor pad(Tensor local, Shape padded, Random random) {
        int width = local.spec().dtype().byteWidth();
        byte[] garbage = new byte[Math.toIntExact(padded.elementCount() * width)];
        random.nextBytes(garbage);
        Shape shape = local.spec().shape();
        Shape strides = padded.denseStrides();
        MemorySegment element = MemorySegment.ofArray(new byte[width]);
        for (long i = 0; i < shape.elementCount(); i++) {
            long rest = i;
            long at = 0;
            for (int dim = shape.ndim() - 1; dim >= 0; dim--) {
                at += rest % shape.dim(dim) * strides.dim(dim);
                rest /= shape.dim(dim);
            }
            local.read(i, 1, element);
            MemorySegment.copy(element, 0, MemorySegment.ofArray(garbage), at * width, width);
        }
        return new InMemory(new TensorSpec(local.spec().dtype(), padded), garbage);
    }

    private static String describe(long seed, Shape shape, Shape mesh, List<Placement> placements) {
        return "seed " + seed + ": " + shape + " on " + mesh + " as " + placements;
    }

    @Test
    void stridedShardsAreAppliedAfterTheShardToTheirRight() {
        List<Placement> placements = List.of(new StridedShard(0, 2), new Shard(0));
        List<Long> rows = new ArrayList<>();
        for (int dp = 0; dp < 4; dp++) {
            for (int tp = 0; tp < 2; tp++) {
                rows.add(LocalSlice.of(Shape.of(33), Shape.of(4, 2), new int[] {dp, tp}, placements)
                        .region()
                        .shape()
                        .dim(0));
            }
        }
        assertEquals(List.of(5L, 4L, 5L, 4L, 5L, 4L, 2L, 4L), rows);
    }

    @Test
    void aStrideThatNoMeshDimExplainsIsRefused() {
        List<Placement> placements = List.of(new StridedShard(0, 3), new Shard(0));
        Fault fault = assertThrows(
                Fault.class, () -> LocalSlice.of(Shape.of(12), Shape.of(2, 2), new int[] {0, 0}, placements));
        assertEquals(Code.K4002, fault.code());
    }

    @Test
    void aGapAndAnOverlapAreRefused() {
        Shape shape = Shape.of(4, 2);
        Region upper = new Region(Shape.of(0, 0), Shape.of(2, 2));
        Region middle = new Region(Shape.of(1, 0), Shape.of(2, 2));
        assertEquals(
                Code.K3005,
                assertThrows(Fault.class, () -> AssembledTensor.checkTiling(shape, List.of(upper)))
                        .code());
        assertEquals(
                Code.K3005,
                assertThrows(Fault.class, () -> AssembledTensor.checkTiling(shape, List.of(upper, middle)))
                        .code());
    }
}
