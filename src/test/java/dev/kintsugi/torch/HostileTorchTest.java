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
import dev.kintsugi.io.MappedFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Files of `torch.save` that torch never saved. The ids are those of docs/reference/safety.md.
class HostileTorchTest {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final byte[] FOUR = new byte[16];
    private static final long[] DENSE = {1};

    @TempDir
    Path scratch;

    private void read(byte[] bytes, Consumer<TorchStateDict> check) {
        read(bytes, (dict, file) -> check.accept(dict));
    }

    private void read(byte[] bytes, BiConsumer<TorchStateDict, TorchFile> check) {
        Path path = scratch.resolve("f.pt");
        try {
            Files.write(path, bytes);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        try (MappedFile file = MappedFile.open(path)) {
            TorchFile opened = TorchFile.open(file);
            check.accept(TorchStateDict.read(opened, OptionalInt.empty()), opened);
        }
    }

    private Fault refused(Code code, byte[] bytes) {
        Fault fault = assertThrows(Fault.class, () -> read(bytes, dict -> {}));
        assertEquals(code, fault.code(), fault.what());
        return fault;
    }

    /// A state dict `{"w": value}` over storage 0 of four F32.
    private static byte[] single(Consumer<PickleBytes> value) {
        PickleBytes pickle = PickleBytes.proto2().op('}').text("w");
        value.accept(pickle);
        return ZipBytes.torch(pickle.op('s').stop(), "0", FOUR);
    }

    @DisplayName("P-01 beside a call that would run a command the tensors are listed")
    @ParameterizedTest
    @CsvSource({"posix,system", "subprocess,Popen", "builtins,exec"})
    void besideACallThatWouldRunACommandTheTensorsAreListed(String module, String name) {
        PickleBytes pickle = PickleBytes.proto2()
                .op('}')
                .text("evil")
                .call(module, name, "touch x")
                .op('s');
        byte[] bytes = ZipBytes.torch(pickle.text("w").vector("0", 4).op('s').stop(), "0", FOUR);
        read(bytes, (dict, file) -> {
            assertEquals(List.of(module + "." + name + "(\"touch x\")"), file.opaqueCalls());
            assertInstanceOf(TorchValue.Other.class, dict.values().get("evil"));
            TorchValue.Plain tensor =
                    assertInstanceOf(TorchValue.Plain.class, dict.values().get("w"));
            assertArrayEquals(FOUR, Golden.bytes(tensor.tensor(), 3));
        });
    }

    @DisplayName("P-03 a load within the load is an opaque call")
    @ParameterizedTest
    @CsvSource({"torch,load", "torch.hub,load", "torch.storage,_load_from_bytes"})
    void aLoadWithinTheLoadIsAnOpaqueCall(String module, String name) {
        read(single(p -> p.call(module, name, "x")), (dict, file) -> {
            assertEquals(List.of(module + "." + name + "(\"x\")"), file.opaqueCalls());
            assertInstanceOf(TorchValue.Other.class, dict.values().get("w"));
        });
    }

    @DisplayName("P-06 a call whose result is thrown away is named")
    @Test
    void aCallWhoseResultIsThrownAwayIsNamed() {
        byte[] bytes = single(
                p -> p.op('(').global("posix", "system").text("id").op('o', '0').vector("0", 4));
        read(bytes, (dict, file) -> assertEquals(List.of("posix.system(\"id\")"), file.opaqueCalls()));
    }

    @DisplayName("P-15 each field of a persistent id is checked")
    @Test
    void eachFieldOfAPersistentIdIsChecked() {
        refused(Code.K2204, single(p -> rebuilt(p, q -> q.text("storage"))));
        refused(Code.K2204, single(p -> rebuilt(p, q -> q.op('K', 7, 'Q'))));
        refused(
                Code.K2204,
                single(p -> rebuilt(p, q -> q.op('(').text("storage").op('t', 'Q'))));
        refused(Code.K2204, single(p -> rebuilt(p, q -> id(q, "module", "FloatStorage", "0", "cpu", 4))));
        refused(Code.K2205, single(p -> rebuilt(p, q -> id(q, "storage", "QInt8Storage", "0", "cpu", 4))));
        refused(Code.K2102, single(p -> rebuilt(p, q -> id(q, "storage", "FloatStorage", "9", "cpu", 4))));
        refused(Code.K2102, single(p -> rebuilt(p, q -> id(q, "storage", "FloatStorage", "../data.pkl", "cpu", 4))));
        refused(Code.K2204, single(p -> rebuilt(p, q -> id(q, "storage", "FloatStorage", "0", "cpu", -1))));
        refused(Code.K2103, single(p -> rebuilt(p, q -> id(q, "storage", "FloatStorage", "0", "cpu", 1L << 62))));
        refused(
                Code.K2204,
                single(p -> rebuilt(
                        p,
                        q -> q.op('(')
                                .text("storage")
                                .text("FloatStorage")
                                .text("0")
                                .text("cpu")
                                .wide(4)
                                .op('t', 'Q'))));
        refused(
                Code.K2204,
                single(p -> rebuilt(
                        p,
                        q -> q.op('(')
                                .text("storage")
                                .global("torch", "FloatStorage")
                                .text("0")
                                .op('N')
                                .wide(4)
                                .op('t', 'Q'))));
        read(single(p -> rebuilt(p, q -> id(q, "storage", "FloatStorage", "0", "no-such-device:7", 4))), dict -> {});
    }

    private static void id(PickleBytes p, String kind, String type, String key, String location, long count) {
        p.op('(')
                .text(kind)
                .global("torch", type)
                .text(key)
                .text(location)
                .wide(count)
                .op('t', 'Q');
    }

    private static void rebuilt(PickleBytes p, Consumer<PickleBytes> storage) {
        p.global("torch._utils", "_rebuild_tensor_v2").op('(');
        storage.accept(p);
        p.wide(0).numbers(4).numbers(1).op(0x89).emptyHooks().op('t', 'R');
    }

    @DisplayName("P-16 a view beyond its storage is refused before it is made")
    @Test
    void aViewBeyondItsStorageIsRefused() {
        refused(Code.K2103, single(p -> p.tensor("0", 4, 1, new long[] {4}, DENSE)));
        refused(Code.K2103, single(p -> p.tensor("0", 4, Long.MAX_VALUE, new long[] {1}, DENSE)));
        refused(Code.K2103, single(p -> p.tensor("0", 4, 0, new long[] {4}, new long[] {Long.MAX_VALUE})));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[] {1L << 62, 4}, new long[] {0, 0})));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[] {1L << 62, 4, 0}, new long[] {0, 0, 0})));
        refused(Code.K2204, single(p -> p.tensor("0", 4, -1, new long[] {1}, DENSE)));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[] {-1}, DENSE)));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[] {1}, new long[] {-1})));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[] {2, 2}, DENSE)));
        refused(Code.K2204, single(p -> p.tensor("0", 4, 0, new long[1_000_000], new long[1_000_000])));
        refused(
                Code.K2204,
                single(p -> p.global("torch._utils", "_rebuild_tensor_v2")
                        .op('(')
                        .storage("FloatStorage", "0", 4)
                        .wide(0)
                        .op('(', 'G', 0, 0, 0, 0, 0, 0, 0, 0, 't')
                        .numbers(1)
                        .op(0x89, 'N', 't', 'R')));
        read(single(p -> p.tensor("0", 4, 4, new long[] {0, 7}, new long[] {7, 1})), dict -> {});
    }

    @DisplayName("P-17 views that overlap or repeat are read")
    @Test
    void viewsThatOverlapOrRepeatAreRead() {
        byte[] data = new byte[16];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) i;
        }
        PickleBytes pickle = PickleBytes.proto2().op('}').text("w");
        pickle.tensor("0", 4, 1, new long[] {2, 2}, new long[] {0, 1}).op('s');
        read(ZipBytes.torch(pickle.stop(), "0", data), dict -> {
            TorchValue.Plain plain =
                    assertInstanceOf(TorchValue.Plain.class, dict.values().get("w"));
            byte[] expected = {4, 5, 6, 7, 8, 9, 10, 11, 4, 5, 6, 7, 8, 9, 10, 11};
            assertArrayEquals(expected, Golden.bytes(plain.tensor(), 3));
        });
    }

    @DisplayName("P-27 a dict within itself and wrappers without end are refused")
    @Test
    void endlessNestingIsRefused() {
        assertTimeoutPreemptively(SOON, () -> {
            PickleBytes twice = PickleBytes.proto2().op('}', 'q', 0);
            twice.text("")
                    .op('h', 0, 's')
                    .text("a")
                    .op('h', 0, 's')
                    .text("w")
                    .vector("0", 4)
                    .op('s');
            refused(Code.K2202, ZipBytes.torch(twice.stop(), "0", FOUR));
            refused(Code.K2204, single(p -> {
                p.op(']', 'q', 0).global("torch._utils", "_rebuild_parameter").op('h', 0, 'R', 'q', 1, '0');
                p.op('h', 1, 'a', '0', 'h', 1);
            }));
            refused(Code.K2204, single(p -> {
                for (int i = 0; i < 100_000; i++) {
                    p.global("torch._utils", "_rebuild_parameter");
                }
                p.vector("0", 4);
                for (int i = 0; i < 100_000; i++) {
                    p.op(0x85, 'R');
                }
            }));
        });
    }

    @DisplayName("P-28 dicts that hold one another many times over are refused")
    @Test
    void dictsThatHoldOneAnotherManyTimesOverAreRefused() {
        PickleBytes pickle =
                PickleBytes.proto2().op('}').text("w").vector("0", 4).op('s', 'q', 0);
        for (int i = 0; i < 40; i++) {
            pickle.op('0', '}');
            pickle.text("a").op('h', 0, 's').text("b").op('h', 0, 's', 'q', 0);
        }
        byte[] bytes = ZipBytes.torch(pickle.stop(), "0", FOUR);
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> refused(Code.K2202, bytes));
    }

    @DisplayName("P-31 a name of any characters is kept as it is")
    @Test
    void aNameOfAnyCharactersIsKept() {
        String name = "\u0000\u001b[31m\u202e\ud83d\ude00";
        PickleBytes pickle =
                PickleBytes.proto2().op('}').text(name).vector("0", 4).op('s');
        read(
                ZipBytes.torch(pickle.stop(), "0", FOUR),
                dict -> assertTrue(dict.values().containsKey(name)));
    }

    @DisplayName("P-32 a name set twice is refused, directly or through nested dicts")
    @Test
    void aNameSetTwiceIsRefused() {
        PickleBytes twice = PickleBytes.proto2().op('}');
        twice.text("w").vector("0", 4).op('s').text("w").vector("1", 4).op('s');
        Fault fault = refused(Code.K4013, ZipBytes.torch(twice.stop(), "0", FOUR, "1", FOUR));
        assertTrue(fault.what().contains("w twice"), fault.what());
        PickleBytes nested = PickleBytes.proto2().op('}');
        nested.text("a.w")
                .vector("0", 4)
                .op('s')
                .text("a")
                .op('}')
                .text("w")
                .vector("1", 4)
                .op('s', 's');
        refused(Code.K4013, ZipBytes.torch(nested.stop(), "0", FOUR, "1", FOUR));
    }

    @DisplayName("P-33 files of other kinds are told by their content")
    @Test
    void filesOfOtherKindsAreToldByTheirContent() {
        byte[] legacy = PickleBytes.proto2()
                .op(0x8a, 10)
                .raw(new byte[] {0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9, 0x20, 0x6a, (byte) 0xa8, 0x50, 0x19
                })
                .stop();
        refused(Code.K4012, legacy);
        byte[] script = new ZipBytes()
                .add(ZipBytes.stored("m/data.pkl", PickleBytes.proto2().op('}').stop()))
                .add(ZipBytes.stored(
                        "m/constants.pkl", PickleBytes.proto2().op(')').stop()))
                .add(ZipBytes.stored("m/code/__torch__.py", "import os".getBytes(StandardCharsets.UTF_8)))
                .end();
        refused(Code.K4012, script);
        byte[] gzip = {0x1f, (byte) 0x8b, 8, 0};
        assertEquals(
                "f.pt: compressed with gzip, no file of torch.save",
                refused(Code.K4012, gzip).what());
        byte[] tar = new byte[1024];
        tar[0] = 'p';
        System.arraycopy("ustar".getBytes(StandardCharsets.US_ASCII), 0, tar, 257, 5);
        assertEquals(
                "f.pt: a TAR archive, no file of torch.save",
                refused(Code.K4012, tar).what());
        assertTrue(refused(Code.K2003, new byte[1024])
                .what()
                .endsWith("begins with zeros: it was reserved but never written"));
        refused(Code.K2003, "\u0093NUMPY".getBytes(StandardCharsets.ISO_8859_1));
        refused(Code.K2003, new byte[0]);
        refused(Code.K2003, PickleBytes.proto2().op('}').stop());
        refused(Code.K2204, ZipBytes.torch(PickleBytes.proto2().op('K', 1).stop()));
    }

    @DisplayName("P-34 objects of another torch keep unknown fields as data, and lack of known ones is named")
    @Test
    void objectsOfAnotherTorchAreRecordsOrNamedFaults() {
        read(
                single(p -> p.global("torch.distributed.tensor", "FutureTensor").op(')', 0x81, '}', 'b')),
                dict -> assertInstanceOf(TorchValue.Other.class, dict.values().get("w")));
        Fault fault = refused(
                Code.K2204,
                single(p -> p.global("torch._tensor", "_rebuild_from_type_v2")
                        .op('(')
                        .global("torch._utils", "_rebuild_wrapper_subclass")
                        .global("torch.distributed.tensor", "DTensor")
                        .op('(')
                        .global("torch.distributed.tensor", "DTensor")
                        .global("torch", "float32")
                        .numbers(4)
                        .op('t', '}')
                        .text("_future")
                        .op('K', 1, 's', 't', 'R')));
        assertTrue(fault.what().contains("_spec"), fault.what());
    }

    @DisplayName("P-34 a mesh layout made to be endless is refused")
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 40, 10_000})
    void aMeshLayoutMadeToBeEndlessIsRefused(int depth) {
        byte[] bytes = single(p -> {
            p.global("torch._tensor", "_rebuild_from_type_v2").op('(');
            p.global("torch._utils", "_rebuild_wrapper_subclass").global("torch.distributed.tensor", "DTensor");
            p.op('(')
                    .global("torch.distributed.tensor", "DTensor")
                    .global("torch", "float32")
                    .numbers(4)
                    .op('t', '}');
            p.text("_local_tensor").vector("0", 4).op('s').text("_spec");
            p.global("torch.distributed.tensor._dtensor_spec", "DTensorSpec").op(')', 0x81, '}');
            p.text("placements").op(')', 's').text("mesh");
            p.global("torch.distributed.device_mesh", "DeviceMesh").op(')', 0x81, '}');
            p.text("_rank_map").global("torch._utils", "_rebuild_tensor_v2").op('(');
            p.storage("IntStorage", "0", 4)
                    .wide(0)
                    .numbers(1 << 21)
                    .numbers(0)
                    .op(0x89)
                    .emptyHooks();
            p.op('t', 'R', 's').text("_layout").global("torch.distributed._mesh_layout", "_MeshLayout");
            p.op(')', 0x81, '}').text("shape");
            p.wide(1 << 20).op('q', 1);
            for (int i = 0; i < depth; i++) {
                p.op('2', 0x86);
            }
            p.op('q', 2, 's').text("stride").op('h', 2, 's', 'b', 's', 'b', 's', 'b', 's', 't', 'R');
        });
        assertTimeoutPreemptively(SOON, () -> refused(Code.K2204, bytes));
    }

    @DisplayName("Z-05 a data.pkl whose CRC is wrong is refused")
    @Test
    void aPickleWhoseCrcIsWrongIsRefused() {
        byte[] empty = PickleBytes.proto2().op('}').stop();
        long crc = ZipBytes.stored("a/data.pkl", empty).crc;
        String what = String.format(
                Locale.ROOT, "the CRC-32 of record a/data.pkl is %08x, the archive says %08x", crc, crc ^ 1);
        named(Code.K2105, what, new ZipBytes().add(wrong("a/data.pkl", empty)));
        ZipBytes.Entry sound = ZipBytes.stored("a/version", new byte[] {'3'});
        named(Code.K2105, what, new ZipBytes().add(wrong("a/data.pkl", empty)).add(sound));
        ZipBytes none = new ZipBytes().add(wrong("a/data.pkl", empty)).add(wrong("a/version", new byte[] {'3'}));
        read(none.end(), dict -> assertTrue(dict.values().isEmpty()));
    }

    private static ZipBytes.Entry wrong(String name, byte[] data) {
        ZipBytes.Entry entry = ZipBytes.stored(name, data);
        entry.crc ^= 1;
        return entry;
    }

    @DisplayName("Z-06 a CRC of zero counts as not recorded")
    @Test
    void aCrcOfZeroCountsAsNotRecorded() {
        ZipBytes.Entry pickle =
                ZipBytes.stored("a/data.pkl", PickleBytes.proto2().op('}').stop());
        pickle.crc = 0;
        read(new ZipBytes().add(pickle).end(), dict -> assertTrue(dict.values().isEmpty()));
    }

    @DisplayName("Z-09 two data.pkl, another folder, a missing version, any byteorder")
    @Test
    void otherFoldersAndOrdersHaveADefinedOutcome() {
        byte[] empty = PickleBytes.proto2().op('}').stop();
        ZipBytes.Entry pickle = ZipBytes.stored("a/data.pkl", empty);
        named(
                Code.K2102,
                "a zip archive with 2 records named data.pkl",
                new ZipBytes().add(pickle).add(ZipBytes.stored("b/data.pkl", empty)));
        named(
                Code.K2102,
                "a zip archive with 0 records named data.pkl",
                new ZipBytes().add(ZipBytes.stored("a/other", empty)));
        named(
                Code.K2102,
                "its first record is z/first, its pickle a/data.pkl",
                new ZipBytes().add(ZipBytes.stored("z/first", empty)).add(ZipBytes.stored("a/data.pkl", empty)));
        byte[] tensor =
                PickleBytes.proto2().op('}').text("w").vector("0", 4).op('s').stop();
        Fault elsewhere = refused(
                Code.K2102,
                new ZipBytes()
                        .add(ZipBytes.stored("a/data.pkl", tensor))
                        .add(ZipBytes.stored("b/data/0", FOUR))
                        .end());
        assertEquals("w: f.pt: record data/0 is missing", elsewhere.what());
        byte[] anyName = new ZipBytes()
                .add(ZipBytes.stored("any name/data.pkl", tensor))
                .add(ZipBytes.stored("any name/data/0", FOUR))
                .end();
        read(anyName, dict -> assertEquals(Set.of("w"), dict.values().keySet()));
        for (String order : List.of("big", "LITTLE", "", "little\n", "little little little", "\u00ff")) {
            String shown = order.equals("\u00ff") ? "\ufffd" : order.substring(0, Math.min(16, order.length()));
            named(
                    Code.K4012,
                    "byte order \"" + shown + '"',
                    new ZipBytes()
                            .add(ZipBytes.stored("a/data.pkl", empty))
                            .add(ZipBytes.stored("a/byteorder", order.getBytes(StandardCharsets.ISO_8859_1))));
        }
    }

    private void named(Code code, String what, ZipBytes zip) {
        assertEquals("f.pt: " + what, refused(code, zip.end()).what());
    }

    @DisplayName("Z-12 a record may begin at any byte")
    @Test
    void aRecordMayBeginAtAnyByte() {
        for (int pad = 0; pad < 9; pad++) {
            PickleBytes pickle =
                    PickleBytes.proto2().op('}').text("x".repeat(pad)).op('N', 's');
            pickle.text("w").vector("0", 4).op('s');
            byte[] data = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
            read(ZipBytes.torch(pickle.stop(), "0", data), dict -> {
                TorchValue.Plain plain =
                        assertInstanceOf(TorchValue.Plain.class, dict.values().get("w"));
                assertArrayEquals(data, Golden.bytes(plain.tensor(), 1));
            });
        }
    }

    @DisplayName("Z-13 a storage shorter or longer than its id says is refused with both sizes")
    @Test
    void aStorageOfAnotherSizeIsRefused() {
        for (int bytes : new int[] {0, 12, 15, 17, 20}) {
            byte[] file = ZipBytes.torch(
                    PickleBytes.proto2()
                            .op('}')
                            .text("w")
                            .vector("0", 4)
                            .op('s')
                            .stop(),
                    "0",
                    new byte[bytes]);
            Fault fault = refused(Code.K2103, file);
            assertEquals("w: storage 0 holds " + bytes + " bytes, its id says 4 elements of 4 bytes", fault.what());
        }
    }
}
