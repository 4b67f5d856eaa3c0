package dev.kintsugi.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.PickleBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleMachine;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Remark;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Files of which Python would make other values than their bytes say, or more than there are: refused, or read as
/// torch
/// reads them. The ids are those of docs/reference/safety.md.
class OtherValuesTest {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final byte[] FOUR = new byte[16];

    @TempDir
    Path scratch;

    private TorchStateDict read(MappedFile file) {
        return TorchStateDict.read(TorchFile.open(file), OptionalInt.empty());
    }

    private MappedFile write(PickleBytes pickle) {
        return write(ZipBytes.torch(pickle.stop(), "0", FOUR, "1", FOUR));
    }

    private MappedFile write(byte[] bytes) {
        try {
            return MappedFile.open(Files.write(scratch.resolve("f.pt"), bytes));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Fault refused(Code code, PickleBytes pickle) {
        return refused(code, ZipBytes.torch(pickle.stop(), "0", FOUR, "1", FOUR));
    }

    private Fault refused(Code code, byte[] bytes) {
        try (MappedFile file = write(bytes)) {
            Fault fault = assertThrows(Fault.class, () -> read(file));
            assertEquals(code, fault.code(), fault.what());
            return fault;
        }
    }

    /// `{"first": value}`.
    private static PickleBytes first(Consumer<PickleBytes> value) {
        PickleBytes pickle = PickleBytes.proto2().op('}').text("first");
        value.accept(pickle);
        return pickle.op('s');
    }

    static Stream<Arguments> changed() {
        return Stream.of(
                Arguments.of("its items are set", changed(p -> p.op('K', 0, 'G', 0, 0, 0, 0, 0, 0, 0, 0, 's'))),
                Arguments.of("its items are set", changed(p -> p.op('(', 'K', 0, 'K', 1, 'u'))),
                Arguments.of("its items are set", changed(p -> p.op('K', 0, 'a'))),
                Arguments.of("its items are set", changed(p -> p.op('(', 'K', 0, 'e'))),
                Arguments.of("its items are set", changed(p -> p.op('(', 'K', 0, 0x90))),
                Arguments.of(
                        "it is given a state",
                        changed(p -> p.op('(')
                                .storage("FloatStorage", "1", 4)
                                .wide(0)
                                .numbers(4)
                                .numbers(1)
                                .op('t', 'b'))));
    }

    private static PickleBytes changed(Consumer<PickleBytes> change) {
        return first(p -> change.accept(p.vector("0", 4)));
    }

    @DisplayName("P-13, P-14 a tensor that is changed once it is made is refused")
    @ParameterizedTest
    @MethodSource("changed")
    void aTensorThatIsChangedIsRefused(String how, PickleBytes pickle) {
        Fault fault = refused(Code.K2204, pickle);
        assertEquals("first: a tensor that is changed once it is made: " + how, fault.what());
    }

    @DisplayName("P-14 so is a parameter, and a tensor of a subclass")
    @Test
    void aParameterThatIsChangedIsRefused() {
        refused(
                Code.K2204,
                first(p -> p.global("torch._utils", "_rebuild_parameter")
                        .op('(')
                        .vector("0", 4)
                        .op(0x88)
                        .emptyHooks()
                        .op('t', 'R', 'K', 0, 'K', 1, 's')));
        refused(
                Code.K2204,
                first(p -> p.global("torch._tensor", "_rebuild_from_type_v2").op(')', 'R', 'K', 0, 'K', 1, 's')));
    }

    @DisplayName("P-32 a dict of names that is set twice is refused, and so is one under it")
    @Test
    void aDictSetTwiceIsRefused() {
        PickleBytes outer = PickleBytes.proto2().op('}');
        for (String key : List.of("0", "1")) {
            outer.text("model").op('}').text("w").vector(key, 4).op('s', 's');
        }
        assertEquals("a dict sets model twice", refused(Code.K4013, outer).what());
        PickleBytes inner = PickleBytes.proto2().op('}').text("module").op('}');
        inner.text("w").vector("0", 4).op('s').text("w").vector("1", 4).op('s', 's');
        assertEquals("a dict sets w twice", refused(Code.K4013, inner).what());
    }

    @DisplayName("P-32 an OrderedDict that is made of pairs is refused, and not read as empty")
    @Test
    void anOrderedDictOfPairsIsRefused() {
        PickleBytes pairs =
                PickleBytes.proto2().global("collections", "OrderedDict").op(']');
        pairs.text("w").vector("0", 4).op(0x86, 'a', 0x85, 'R');
        assertEquals(
                "an OrderedDict made of a list of 1", refused(Code.K2204, pairs).what());
    }

    @DisplayName("P-33 a whole module is told from a state dict")
    @Test
    void aWholeModuleIsTold() {
        PickleBytes module =
                PickleBytes.proto2().global("torch.nn.modules.linear", "Linear").op(')', 0x81, '}');
        module.text("training").op(0x88, 's').text("_modules").op('}', 's', 'b');
        assertEquals(
                "the file holds a whole module, a call of torch.nn.modules.linear.Linear, not its state dict",
                refused(Code.K4012, module).what());
        assertEquals(
                "the file holds 7, not a state dict",
                refused(Code.K2204, PickleBytes.proto2().op('K', 7)).what());
    }

    @DisplayName("P-27 sizes within sizes are refused, however many")
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 1_000_000})
    void sizesWithinSizesAreRefused(int depth) {
        PickleBytes pickle = first(p -> {
            p.global("torch._utils", "_rebuild_tensor_v2")
                    .op('(')
                    .storage("FloatStorage", "0", 4)
                    .wide(0);
            p.global("torch", "Size").op('q', 1);
            for (int i = 1; i < depth; i++) {
                p.op('h', 1);
            }
            p.numbers(4);
            for (int i = 0; i < depth; i++) {
                p.op(0x85, 'R');
            }
            p.numbers(1).op(0x89).emptyHooks().op('t', 'R');
        });
        Fault fault = assertTimeoutPreemptively(SOON, () -> refused(Code.K2204, pickle));
        assertEquals("first: the size of a tensor is a call of torch.Size", fault.what());
    }

    private static void id(PickleBytes p, String module, String type, Consumer<PickleBytes> more) {
        p.global("torch._utils", "_rebuild_tensor_v2")
                .op('(', '(')
                .text("storage")
                .global(module, type);
        more.accept(p.text("0").text("cpu"));
        p.op('t', 'Q').wide(0).numbers(4).numbers(1).op(0x89).emptyHooks().op('t', 'R');
    }

    @DisplayName("P-15 a storage class of another module is none")
    @Test
    void aStorageClassOfAnotherModuleIsNone() {
        Fault fault = refused(Code.K2205, first(p -> id(p, "evil", "FloatStorage", q -> q.wide(4))));
        assertEquals("first: storage type evil.FloatStorage is not supported", fault.what());
        assertEquals("it is none of torch's, or holds quantised or complex elements", fault.why());
        refused(Code.K2205, first(p -> id(p, "torch", "BananaStorage", q -> q.wide(4))));
    }

    @DisplayName("P-15 a persistent id has five parts")
    @Test
    void aPersistentIdHasFiveParts() {
        assertEquals(
                "first: a storage's id with 4 parts",
                refused(Code.K2204, first(p -> id(p, "torch", "FloatStorage", q -> {})))
                        .what());
        assertEquals(
                "first: a storage's id with 6 parts",
                refused(
                                Code.K2204,
                                first(p -> id(
                                        p,
                                        "torch",
                                        "FloatStorage",
                                        q -> q.wide(4).op('N'))))
                        .what());
        PickleBytes text = first(p -> {
            p.global("torch._utils", "_rebuild_tensor_v2")
                    .op('(')
                    .ascii("P0\n")
                    .wide(0)
                    .numbers(4);
            p.numbers(1).op(0x89).emptyHooks().op('t', 'R');
        });
        assertEquals("first: a storage's id is \"0\"", refused(Code.K2204, text).what());
    }

    @DisplayName("P-15 one storage has one class")
    @Test
    void oneStorageHasOneClass() {
        PickleBytes twice =
                PickleBytes.proto2().op('}').text("a").vector("0", 4).op('s').text("b");
        id(twice, "torch", "IntStorage", q -> q.wide(4));
        assertEquals(
                "b: storage 0 as F32 and as I32",
                refused(Code.K2204, twice.op('s')).what());
    }

    @DisplayName("P-16 a dense size that no file can have is refused, though its view is small")
    @Test
    void aDenseSizeBeyondAnyFileIsRefused() {
        PickleBytes pickle = first(p -> p.tensor("0", 4, 0, new long[] {1L << 61}, new long[] {0}));
        Fault fault = refused(Code.K2103, pickle);
        assertTrue(fault.what().startsWith("first: storage 0 holds 16 bytes, its tensor needs 9"), fault.what());
    }

    @DisplayName("P-16 what is no whole number is no stride, offset or size")
    @Test
    void whatIsNoWholeNumberIsRefused() {
        String[] roles = {"a storage offset", "the size of a tensor", "the strides of a tensor"};
        for (int at = 0; at < 3; at++) {
            for (Consumer<PickleBytes> bad : List.<Consumer<PickleBytes>>of(
                    p -> p.op('G', 0, 0, 0, 0, 0, 0, 0, 0),
                    p -> p.op(0x88),
                    p -> p.op(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1))) {
                int wrong = at;
                Fault fault = refused(Code.K2204, first(p -> {
                    p.global("torch._utils", "_rebuild_tensor_v2").op('(').storage("FloatStorage", "0", 4);
                    for (int i = 0; i < 3; i++) {
                        if (i > 0) {
                            p.op('(');
                        }
                        if (i == wrong) {
                            bad.accept(p);
                        } else {
                            p.wide(i == 0 ? 0 : 1);
                        }
                        if (i > 0) {
                            p.op('t');
                        }
                    }
                    p.op(0x89).emptyHooks().op('t', 'R');
                }));
                assertTrue(fault.what().startsWith("first: " + roles[at] + " is "), fault.what());
            }
        }
    }

    @DisplayName("P-34 a shard order of a mesh dim that is none is refused, however large")
    @ParameterizedTest
    @ValueSource(longs = {2, -1, 1L << 31, 1L << 40, Long.MIN_VALUE, (1L << 32) + 1})
    void aShardOrderOfNoMeshDimIsRefused(long meshDim) {
        PickleBytes spec = PickleBytes.proto2().op('}').text("shard_order");
        spec.global("torch.distributed.tensor._dtensor_spec", "ShardOrderEntry")
                .op('K', 0)
                .numbers(meshDim, 0)
                .op(0x86, 'R', 0x85, 's');
        PickleValue.Dict fields = assertInstanceOf(PickleValue.Dict.class, PickleMachine.read("p", spec.stop()));
        DeviceMesh mesh = DeviceMesh.of(List.of("a", "b"), Shape.of(2, 2), new int[] {0, 1, 2, 3});
        List<Placement> twice = List.of(new Placement.Shard(0), new Placement.Shard(0));
        Fault fault = assertThrows(Fault.class, () -> ShardOrder.applied(twice, mesh, fields));
        assertEquals(Code.K2204, fault.code());
        assertTrue(fault.what().startsWith("a shard order of mesh dim "), fault.what());
    }

    static Stream<Arguments> views() {
        return Stream.of(
                Arguments.of(new long[] {3, 2}, new long[] {1, 1}, new int[] {0, 1, 1, 2, 2, 3}, true),
                Arguments.of(new long[] {4}, new long[] {0}, new int[] {0, 0, 0, 0}, true),
                Arguments.of(new long[] {2, 2}, new long[] {1, 2}, new int[] {0, 2, 1, 3}, false),
                Arguments.of(new long[] {2, 2}, new long[] {1, 0}, new int[] {0, 0, 1, 1}, true),
                Arguments.of(new long[] {2, 3}, new long[] {1, 0}, new int[] {0, 0, 0, 1, 1, 1}, true),
                Arguments.of(new long[] {2, 2}, new long[] {2, 1}, new int[] {0, 1, 2, 3}, false));
    }

    @DisplayName("P-17 views that overlap, repeat or are turned have the elements torch sees, and overlaps are told")
    @ParameterizedTest
    @MethodSource("views")
    void viewsHaveTheElementsTorchSees(long[] shape, long[] strides, int[] elements, boolean overlaps) {
        byte[] data = new byte[16];
        for (int i = 0; i < 4; i++) {
            data[4 * i] = (byte) i;
        }
        byte[] expected = new byte[4 * elements.length];
        for (int i = 0; i < elements.length; i++) {
            expected[4 * i] = (byte) elements[i];
        }
        byte[] bytes =
                ZipBytes.torch(first(p -> p.tensor("0", 4, 0, shape, strides)).stop(), "0", data);
        Job job = Job.quiet();
        try (MappedFile file = write(bytes)) {
            TorchValue value = job.doing(() -> read(file)).values().get("first");
            StridedTensor tensor =
                    assertInstanceOf(TorchValue.Plain.class, value).tensor();
            for (int block = 1; block <= elements.length; block++) {
                assertArrayEquals(expected, Golden.bytes(tensor, block), "in blocks of " + block);
            }
        }
        assertEquals(overlaps ? List.of("first") : List.of(), job.takeRemarks(Remark.OVERLAPPING_VIEW));
    }

    @DisplayName("P-17 one element of a view of endless rows is read at once")
    @Test
    void oneElementOfEndlessRowsIsReadAtOnce() {
        PickleBytes pickle = first(p -> p.tensor("0", 4, 0, new long[] {2, 1L << 40}, new long[] {1, 0}));
        try (MappedFile file = write(pickle)) {
            StridedTensor tensor = assertInstanceOf(
                            TorchValue.Plain.class, read(file).values().get("first"))
                    .tensor();
            byte[] element = new byte[4 * 7];
            assertTimeoutPreemptively(SOON, () -> tensor.read((1L << 40) - 3, 7, MemorySegment.ofArray(element)));
        }
    }

    /// A memoised `ShardedTensor` of `shards` shards that are one and the same, at slot 9.
    private static void sharded(PickleBytes p, int shards) {
        p.global("torch._tensor", "_rebuild_from_type_v2").op('(');
        p.global("torch._utils", "_rebuild_wrapper_subclass");
        p.global("torch.distributed._shard.sharded_tensor.api", "ShardedTensor").op(')', '(', '(');
        shard(p);
        p.op('q', 8);
        for (int i = 1; i < shards; i++) {
            p.op('h', 8);
        }
        p.op('l').global("torch.distributed._shard.sharded_tensor.metadata", "ShardedTensorMetadata");
        p.op(')', 0x81, '}').text("size").numbers(4).op('s', 'b', 't', 't', 'R', 'q', 9);
    }

    private static void shard(PickleBytes p) {
        p.global("torch.distributed._shard.sharded_tensor.shard", "Shard").op(')', 0x81, '}');
        p.text("tensor").vector("0", 4).op('s').text("metadata");
        p.global("torch.distributed._shard.metadata", "ShardMetadata").op(')', 0x81, '}');
        p.text("shard_offsets")
                .numbers(0)
                .op('s')
                .text("shard_sizes")
                .numbers(4)
                .op('s', 'b', 's', 'b');
    }

    @DisplayName("P-28 a tensor of many shards under many names is read once, and shards are limited")
    @Test
    void aTensorUnderManyNamesIsReadOnce() {
        PickleBytes pickle = PickleBytes.proto2().op('}').text("first");
        sharded(pickle, 20_000);
        pickle.op('s');
        for (int i = 0; i < 20_000; i++) {
            pickle.text("name" + i).op('h', 9, 's');
        }
        byte[] bytes = ZipBytes.torch(pickle.stop(), "0", FOUR);
        try (MappedFile file = write(bytes)) {
            TorchStateDict dict = assertTimeoutPreemptively(SOON, () -> read(file));
            assertEquals(20_001, dict.values().size());
            ShardedTensor tensor =
                    assertInstanceOf(ShardedTensor.class, dict.values().get("name7"));
            assertEquals(20_000, tensor.regions().size());
        }
        PickleBytes four = PickleBytes.proto2().op('}').text("first");
        sharded(four, 4);
        PickleBytes five = PickleBytes.proto2().op('}').text("first");
        sharded(five, 5);
        Limit.during(Map.of(Limit.TENSORS, 4L), () -> {
            try (MappedFile file = write(four.op('s'))) {
                read(file);
            }
            return refused(Code.K2202, five.op('s'));
        });
    }
}
