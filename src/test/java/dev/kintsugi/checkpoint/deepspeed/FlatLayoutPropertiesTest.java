package dev.kintsugi.checkpoint.deepspeed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.FlatBuffer;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Part;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SequencedMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Random models laid out over random ranks by a writer that knows nothing of the reader, and read back.
class FlatLayoutPropertiesTest {
    private static final int ROUNDS = 60;
    private static final byte PADDING = (byte) 0xEE;

    /// One byte an element.
    @SuppressWarnings("ArrayRecordComponent")
    private record InMemory(byte[] bytes) implements Tensor {
        @Override
        public TensorSpec spec() {
            return new TensorSpec(DType.U8, Shape.of(bytes.length));
        }

        @Override
        public void read(long firstElement, long elementCount, MemorySegment target) {
            MemorySegment.copy(MemorySegment.ofArray(bytes), firstElement, target, 0, elementCount);
        }
    }

    /// A random model: shapes by group, and the bytes of every parameter.
    private record Model(List<SequencedMap<String, Shape>> groups, Map<String, byte[]> values) {
        static Model random(Random random) {
            List<SequencedMap<String, Shape>> groups = new ArrayList<>();
            Map<String, byte[]> values = new LinkedHashMap<>();
            int name = 0;
            for (int group = 0; group <= random.nextInt(3); group++) {
                SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
                for (int i = random.nextInt(6); i >= 0; i--) {
                    long[] dims = new long[random.nextInt(4)];
                    Arrays.setAll(dims, d -> random.nextInt(12) == 0 ? 0 : 1 + random.nextInt(7));
                    Shape shape = Shape.of(dims);
                    byte[] bytes = new byte[(int) shape.elementCount()];
                    random.nextBytes(bytes);
                    shapes.put("p" + name, shape);
                    values.put("p" + name++, bytes);
                }
                groups.add(shapes);
            }
            return new Model(groups, values);
        }
    }

    private static Part part(int rank, byte[] bytes) {
        return Part.of(new Stored(rank, new InMemory(bytes), Path.of("rank_" + rank), "data/0", 1000));
    }

    /// Stage 1 and 2 as the engine does it: one byte after the other into a padded buffer, then cut into
    /// equal parts; the last rank's padding is taken off again, as far as it reaches.
    private static List<FlatRun> partitions(Model model, int ranks) {
        List<FlatRun> runs = new ArrayList<>();
        for (SequencedMap<String, Shape> group : model.groups()) {
            List<Byte> flat = new ArrayList<>();
            for (String name : group.keySet()) {
                for (byte b : model.values().get(name)) {
                    flat.add(b);
                }
            }
            int padding = 0;
            while (flat.size() % (2 * ranks) != 0) {
                flat.add(PADDING);
                padding++;
            }
            int length = flat.size() / ranks;
            List<Part> parts = new ArrayList<>();
            for (int rank = 0; rank < ranks; rank++) {
                int kept = rank == ranks - 1 ? Math.max(0, length - padding) : length;
                byte[] bytes = new byte[kept];
                for (int i = 0; i < kept; i++) {
                    bytes[i] = flat.get(rank * length + i);
                }
                parts.add(part(rank, bytes));
            }
            runs.add(new FlatRun(parts));
        }
        return runs;
    }

    /// Stage 3 as the engine does it: every parameter is padded and split by itself, and the pieces of a rank
    /// are collected into sub groups of some parameters each.
    private static List<FlatRun> pieces(Model model, int ranks, Random random) {
        List<List<Part>> parts = new ArrayList<>();
        List<List<Byte>> open = new ArrayList<>();
        for (int rank = 0; rank < ranks; rank++) {
            parts.add(new ArrayList<>());
            open.add(new ArrayList<>());
        }
        for (SequencedMap<String, Shape> group : model.groups()) {
            for (String name : group.keySet()) {
                byte[] value = model.values().get(name);
                int per = (value.length + ranks - 1) / ranks;
                for (int rank = 0; rank < ranks; rank++) {
                    for (int i = rank * per; i < (rank + 1) * per; i++) {
                        open.get(rank).add(i < value.length ? value[i] : PADDING);
                    }
                }
                if (random.nextInt(3) == 0) {
                    close(parts, open);
                }
            }
            close(parts, open);
        }
        return parts.stream().map(FlatRun::new).toList();
    }

    private static void close(List<List<Part>> parts, List<List<Byte>> open) {
        for (int rank = 0; rank < open.size(); rank++) {
            byte[] bytes = new byte[open.get(rank).size()];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = open.get(rank).get(i);
            }
            parts.get(rank).add(part(rank, bytes));
            open.get(rank).clear();
        }
    }

    private static void assertComesBack(Model model, Map<String, List<Slice>> slices, int ranks, String what) {
        ModelJoin join = new ModelJoin(ranks, DType.U8);
        model.groups()
                .forEach(group -> group.forEach(
                        (name, shape) -> join.flat(name, new TensorSpec(DType.U8, shape), slices.get(name), "Flat")));
        assertEquals(Map.of(), join.holes(), what);
        SequencedMap<String, JoinedTensor> joined = join.joined(List.of());
        assertEquals(model.values().keySet(), joined.keySet(), what);
        joined.forEach((name, tensor) -> {
            assertArrayEquals(model.values().get(name), Golden.bytes(tensor.tensor(), 5), what + ", " + name);
            List<Piece> pieces = tensor.layout().pieces();
            AssembledTensor.checkTiling(
                    tensor.tensor().spec().shape(),
                    pieces.stream().map(Piece::global).toList());
        });
        long held =
                join.ranks().values().stream().mapToLong(r -> r.elementCount()).sum();
        assertEquals(model.values().values().stream().mapToLong(b -> b.length).sum(), held, what);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void partitionsOfStage1And2ComeBack(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            int ranks = 1 + random.nextInt(9);
            Model model = Model.random(random);
            assertComesBack(
                    model,
                    FlatLayout.partitioned(model.groups(), partitions(model, ranks), ranks),
                    ranks,
                    "seed " + seed + ", round " + round);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void piecesOfStage3ComeBack(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            int ranks = 1 + random.nextInt(9);
            Model model = Model.random(random);
            assertComesBack(
                    model,
                    FlatLayout.split(model.groups(), pieces(model, ranks, random)),
                    ranks,
                    "seed " + seed + ", round " + round);
        }
    }

    /// Whatever the spans say lies in a buffer does lie there, each element of the model once, and the rest is padding.
    @ParameterizedTest
    @ValueSource(longs = {21, 22, 23, 24})
    void buffersTellWhatLiesWhereInThem(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            int ranks = 1 + random.nextInt(9);
            Model model = Model.random(random);
            String what = "seed " + seed + ", round " + round;
            List<FlatRun> partitions = partitions(model, ranks);
            assertTells(
                    model,
                    FlatBuffers.partitioned(model.groups(), partitions),
                    partitions.stream().flatMap(r -> r.parts().stream()).toList(),
                    what);
            List<FlatRun> pieces = pieces(model, ranks, random);
            List<Part> byGroup = new ArrayList<>();
            for (int i = 0; i < pieces.getFirst().parts().size(); i++) {
                int group = i;
                pieces.forEach(run -> byGroup.add(run.parts().get(group)));
            }
            assertTells(model, FlatBuffers.split(model.groups(), pieces), byGroup, what);
        }
    }

    private static void assertTells(Model model, List<FlatBuffer> buffers, List<Part> parts, String what) {
        assertEquals(parts.size(), buffers.size(), what);
        Map<String, Integer> told = new LinkedHashMap<>();
        for (int i = 0; i < parts.size(); i++) {
            FlatBuffer buffer = buffers.get(i);
            assertEquals(parts.get(i).rank(), buffer.rank(), what);
            assertEquals(parts.get(i).elementCount(), buffer.storedCount(), what);
            byte[] bytes = Golden.bytes(parts.get(i).stored().orElseThrow().tensor(), 64);
            long end = 0;
            for (FlatBuffer.Span span : buffer.spans()) {
                assertTrue(span.first() >= end && span.count() > 0, what);
                end = span.end();
                for (int at = 0; at < span.count(); at++) {
                    assertEquals(
                            model.values().get(span.parameter())[(int) span.parameterFirst() + at],
                            bytes[(int) span.first() + at],
                            what + ", " + span);
                }
                told.merge(span.parameter(), (int) span.count(), Integer::sum);
            }
            assertTrue(end <= buffer.elementCount(), what);
        }
        model.values().forEach((name, bytes) -> assertEquals(bytes.length, told.getOrDefault(name, 0), what));
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13, 14})
    void aMissingPartMakesHolesOfWhatItHeldAndOfNothingElse(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            int ranks = 2 + random.nextInt(5);
            int lost = random.nextInt(ranks);
            Model model = Model.random(random);
            List<FlatRun> runs = partitions(model, ranks).stream()
                    .map(run -> new FlatRun(run.parts().stream()
                            .map(p -> p.rank() == lost ? new Part(lost, p.elementCount(), Optional.empty()) : p)
                            .toList()))
                    .toList();
            ModelJoin join = new ModelJoin(ranks, DType.U8);
            SequencedMap<String, List<Slice>> slices = FlatLayout.partitioned(model.groups(), runs, ranks);
            model.groups()
                    .forEach(group -> group.forEach((name, shape) ->
                            join.flat(name, new TensorSpec(DType.U8, shape), slices.get(name), "Flat")));
            String what = "seed " + seed + ", round " + round;
            assertEquals(
                    model.values().size(),
                    join.holes().size() + join.joined(List.of()).size(),
                    what);
            join.joined(List.of())
                    .forEach((name, tensor) -> assertArrayEquals(
                            model.values().get(name), Golden.bytes(tensor.tensor(), 64), what + ", " + name));
            for (String name : join.holes().keySet()) {
                assertEquals(true, slices.get(name).stream().anyMatch(s -> s.rank() == lost), what + ", " + name);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {21, 22})
    void buffersOfAnotherSizeAreRefused(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            int ranks = 1 + random.nextInt(5);
            Model model = Model.random(random);
            List<FlatRun> longer = new ArrayList<>(partitions(model, ranks));
            List<Part> parts = new ArrayList<>(longer.getFirst().parts());
            parts.add(part(ranks, new byte[2 * ranks]));
            longer.set(0, new FlatRun(parts));
            assertRefused(() -> FlatLayout.partitioned(model.groups(), longer, ranks));
            List<FlatRun> split = new ArrayList<>(pieces(model, ranks, random));
            List<Part> more = new ArrayList<>(split.getLast().parts());
            more.add(part(ranks - 1, new byte[1]));
            split.set(ranks - 1, new FlatRun(more));
            assertRefused(() -> FlatLayout.split(model.groups(), split));
        }
    }

    private static void assertRefused(Runnable reading) {
        assertEquals(Code.K3102, assertThrows(Fault.class, reading::run).code());
    }
}
