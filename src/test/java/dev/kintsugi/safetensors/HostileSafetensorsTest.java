package dev.kintsugi.safetensors;

import static dev.kintsugi.SafetensorsBytes.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// safetensors files that the reference never writes. The ids are those of docs/reference/safety.md.
class HostileSafetensorsTest {
    private static final String A = entry("a", "F32", "[2]", 0, 8);

    @TempDir
    Path scratch;

    private void open(byte[] bytes, Consumer<SafetensorsFile> check) {
        Path path = scratch.resolve("m.safetensors");
        try {
            Files.write(path, bytes);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        open(path, check);
    }

    private static void open(Path path, Consumer<SafetensorsFile> check) {
        try (MappedFile file = MappedFile.open(path)) {
            check.accept(SafetensorsFile.open(file));
        }
    }

    private Fault refused(Code code, byte[] bytes) {
        Fault fault = assertThrows(Fault.class, () -> open(bytes, f -> {}));
        assertEquals(code, fault.code(), fault.what());
        assertTrue(fault.what().startsWith("m.safetensors: "), fault.what());
        return fault;
    }

    private Fault refused(Code code, String json, int dataBytes) {
        return refused(code, SafetensorsBytes.of(json, dataBytes));
    }

    private void notes(String part, String json, int dataBytes) {
        open(SafetensorsBytes.of(json, dataBytes), f -> {
            assertEquals(1, f.notes().size(), f.notes().toString());
            assertTrue(f.notes().getFirst().text().contains(part), f.notes().toString());
            assertTrue(f.notes().getFirst().breaksFormat(), f.notes().toString());
        });
    }

    private static byte[] length(long headerBytes, int more) {
        return ByteBuffer.allocate(8 + more)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(headerBytes)
                .array();
    }

    @DisplayName("S-01 fewer than eight bytes are refused")
    @Test
    void fewerThanEightBytesAreRefused() {
        for (int length = 0; length < 8; length++) {
            refused(Code.K2302, new byte[length]);
        }
    }

    @DisplayName("S-02 a header longer than the file is refused with both sizes, and how much is there")
    @Test
    void aHeaderLongerThanTheFileIsRefused() {
        Fault fault = refused(Code.K2302, length(100, 50));
        assertTrue(fault.what().contains("holds 58 bytes, its header alone needs 108: at most 53.7 %"), fault.what());
    }

    @DisplayName("S-03 a header beyond the limit is refused, however large the number")
    @ParameterizedTest
    @ValueSource(longs = {100_000_001, 1L << 32, Long.MAX_VALUE, Long.MIN_VALUE, -1})
    void aHeaderBeyondTheLimitIsRefused(long headerBytes) {
        Fault fault = refused(Code.K2303, length(headerBytes, 100));
        assertTrue(fault.what().contains(Long.toUnsignedString(headerBytes)), fault.what());
    }

    @DisplayName("S-03 limits: a header of exactly the limit is read")
    @Test
    void aHeaderOfTheLimitIsRead() throws IOException {
        Path path = scratch.resolve("large.safetensors");
        byte[] padding = new byte[Limit.HEADER_BYTES.intValue() - 2];
        Arrays.fill(padding, (byte) ' ');
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(length(Limit.HEADER_BYTES.intValue(), 0)));
            channel.write(ByteBuffer.wrap("{}".getBytes(StandardCharsets.UTF_8)));
            channel.write(ByteBuffer.wrap(padding));
        }
        open(path, f -> assertTrue(f.tensors().isEmpty()));
    }

    @DisplayName("S-04 no header is refused, an empty one is a file of nothing")
    @Test
    void noHeaderIsRefusedAnEmptyOneIsNothing() {
        refused(Code.K2301, "", 0);
        open(SafetensorsBytes.of("{}", 0), f -> assertTrue(f.tensors().isEmpty()));
    }

    @DisplayName("S-05 a header that is no UTF-8 is refused with the offset")
    @Test
    void aHeaderThatIsNoUtf8IsRefused() {
        byte[] header = "{\"a?\":1}".getBytes(StandardCharsets.UTF_8);
        header[3] = (byte) 0xff;
        Fault fault = refused(Code.K2301, SafetensorsBytes.of(header, 0));
        assertTrue(fault.what().contains("at byte 11"), fault.what());
        header[header.length - 1] = (byte) 0xe2;
        refused(Code.K2301, SafetensorsBytes.of(header, 0));
    }

    @DisplayName("S-06 a header that is no JSON object is refused")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "1",
                "null",
                "\"a\"",
                "{",
                "{\"a\"}",
                "{}{}",
                "{} 1",
                "{,}",
                "{'a':1}",
                "{\"a\":NaN}",
                "\ufeff{}",
                "{\"a\":[]}",
                "{/*x*/}",
                "x{}"
            })
    void aHeaderThatIsNoObjectIsRefused(String json) {
        refused(Code.K2301, json, 0);
    }

    @DisplayName("S-07 blanks before the brace are noted")
    @Test
    void blanksBeforeTheBraceAreNoted() {
        notes("begins with blanks", " \n{" + A + "}", 8);
    }

    @DisplayName("S-08 spaces behind the brace are padding")
    @Test
    void spacesBehindTheBraceArePadding() {
        open(SafetensorsBytes.of("{" + A + "}     ", 8), f -> assertEquals(List.of(), f.notes()));
    }

    @DisplayName("S-09 other padding is noted or refused")
    @Test
    void otherPaddingIsNotedOrRefused() {
        notes("other blanks than spaces", "{" + A + "}\t", 8);
        notes("other blanks than spaces", "{" + A + "}\n", 8);
        refused(Code.K2301, "{" + A + "}\u0000", 8);
    }

    @DisplayName("S-10 bytes behind the last tensor are refused and counted")
    @Test
    void bytesBehindTheLastTensorAreRefused() {
        Fault fault = refused(Code.K2301, "{" + A + "}", 11);
        assertTrue(fault.what().contains("3 bytes behind the last tensor"), fault.what());
    }

    @DisplayName("S-11 data cut short by one byte is told apart and named")
    @Test
    void dataCutShortIsToldApart() {
        Fault fault = refused(Code.K2302, "{" + A + "}", 7);
        assertTrue(fault.what().contains("cut short at 87.5 %, within a"), fault.what());
    }

    @DisplayName("S-11 every prefix of a file is refused")
    @Test
    void everyPrefixIsRefused() {
        byte[] good = SafetensorsBytes.of("{" + A + "," + entry("b", "U8", "[3]", 8, 11) + "}", 11);
        for (int length = 0; length < good.length; length++) {
            refused(Code.K2302, Arrays.copyOf(good, length));
        }
    }

    @DisplayName("S-12 a hole is refused and shown")
    @Test
    void aHoleIsRefused() {
        Fault fault = refused(Code.K2301, "{" + A + "," + entry("b", "U8", "[2]", 12, 14) + "}", 14);
        assertTrue(fault.what().contains("bytes 8 to 12") && fault.what().contains("b"), fault.what());
        refused(Code.K2301, "{" + entry("b", "U8", "[2]", 4, 6) + "}", 6);
    }

    @DisplayName("S-13 an overlap is refused with both names")
    @Test
    void anOverlapIsRefused() {
        Fault fault = refused(Code.K2301, "{" + A + "," + entry("b", "U8", "[4]", 6, 10) + "}", 10);
        assertTrue(fault.what().contains("a and b overlap at byte 6"), fault.what());
        Fault same = refused(Code.K2301, "{" + A + "," + entry("b", "F32", "[2]", 0, 8) + "}", 8);
        assertTrue(same.what().contains("a and b overlap at byte 0"), same.what());
    }

    @DisplayName("S-14 offsets that run backwards or past the end are refused")
    @Test
    void offsetsThatRunBackwardsAreRefused() {
        Fault back = refused(Code.K2301, "{" + entry("a", "F32", "[2]", 8, 0) + "}", 8);
        assertTrue(back.what().contains("a has the data_offsets [8, 0]"), back.what());
        Fault far = refused(Code.K2301, "{" + entry("a", "F32", "[2]", 100, 108) + "}", 8);
        assertTrue(far.what().contains("a"), far.what());
        refused(Code.K2301, "{" + entry("a", "U8", "[0]", 1L << 62, 1L << 62) + "}", 8);
    }

    @DisplayName("S-15 bytes that do not fit shape and dtype are refused with both")
    @Test
    void bytesThatDoNotFitAreRefused() {
        Fault fault = refused(Code.K2301, "{" + entry("a", "F32", "[3]", 0, 8) + "}", 8);
        assertTrue(fault.what().contains("[0, 8]") && fault.what().contains("12 bytes"), fault.what());
    }

    @DisplayName("S-16 an unknown dtype is refused and the known ones listed")
    @Test
    void anUnknownDtypeIsRefused() {
        Fault fault = refused(Code.K2205, "{" + entry("a", "F33", "[2]", 0, 8) + "}", 8);
        assertTrue(fault.what().contains("a is of dtype F33"), fault.what());
        for (DType known : DType.values()) {
            assertTrue(fault.why().contains(known.name()), fault.why());
        }
    }

    @DisplayName("S-17 dtypes narrower than a byte or of AMD's eight bits are refused by name, E8M0 and C64 are read")
    @Test
    void narrowDtypesAreRefusedByName() {
        for (String dtype : List.of("F4", "F6_E2M3", "F6_E3M2")) {
            assertTrue(refused(Code.K2205, "{" + entry("a", dtype, "[4]", 0, 4) + "}", 4)
                    .what()
                    .contains(dtype));
        }
        String json = "{" + entry("a", "C64", "[1]", 0, 8) + "," + entry("b", "F8_E8M0", "[1]", 8, 9) + ","
                + entry("c", "F8_E4M3FNUZ", "[3]", 9, 12) + "," + entry("d", "F8_E5M2FNUZ", "[2]", 12, 14) + "}";
        open(
                SafetensorsBytes.of(json, 14),
                f -> assertEquals(DType.C64, f.tensors().get("a").spec().dtype()));
    }

    @DisplayName("S-18 dims that are no whole numbers are refused")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[-1]",
                "[2.0]",
                "[\"2\"]",
                "[null]",
                "[2e0]",
                "[1e3]",
                "[true]",
                "[[2]]",
                "2",
                "null",
                "{}",
                "[18446744073709551618]",
                "[02]",
                "[+2]"
            })
    void dimsThatAreNoWholeNumbersAreRefused(String shape) {
        refused(Code.K2301, "{" + entry("a", "F32", shape, 0, 8) + "}", 8);
    }

    @DisplayName("S-19 shapes whose product overflows are refused, though a dim of 0 follows")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[4611686018427387904,4611686018427387904]",
                "[4611686018427387904,4611686018427387904,0]",
                "[9223372036854775807]"
            })
    void shapesThatOverflowAreRefused(String shape) {
        refused(Code.K2301, "{" + entry("a", "F32", shape, 0, 0) + "}", 0);
    }

    @DisplayName("S-20 empty tensors and scalars are read")
    @Test
    void emptyTensorsAndScalarsAreRead() {
        String json = "{" + entry("e", "F32", "[0,7]", 0, 0) + "," + entry("s", "F32", "[]", 0, 4) + "}";
        open(SafetensorsBytes.of(json, 4), f -> {
            assertEquals(Shape.of(0, 7), f.tensors().get("e").spec().shape());
            assertEquals(Shape.SCALAR, f.tensors().get("s").spec().shape());
        });
    }

    @DisplayName("S-21 a tensor named twice is refused")
    @Test
    void aTensorNamedTwiceIsRefused() {
        refused(Code.K2301, "{" + A + "," + entry("a", "F32", "[2]", 8, 16) + "}", 16);
        refused(Code.K2301, "{" + A + "," + entry("\\u0061", "F32", "[2]", 8, 16) + "}", 16);
        refused(Code.K2301, "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + A + "}", 8);
    }

    @DisplayName("S-22 a field given twice is refused")
    @Test
    void aFieldGivenTwiceIsRefused() {
        refused(Code.K2301, "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    }

    @DisplayName("S-23 a field too many is noted, one too few refused")
    @Test
    void aFieldTooManyIsNotedOneTooFewRefused() {
        notes(
                "1 unknown field",
                "{\"a\":{\"x\":{\"y\":[1]},\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                8);
        refused(Code.K2301, "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        refused(Code.K2301, "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8);
        refused(Code.K2301, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8);
        refused(Code.K2301, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8);
        refused(Code.K2301, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8);
        refused(Code.K2301, "{\"a\":1}", 8);
    }

    @DisplayName("S-24 metadata that is no text is refused, null is noted")
    @Test
    void metadataThatIsNoTextIsRefused() {
        refused(Code.K2301, "{\"__metadata__\":{\"k\":1}," + A + "}", 8);
        refused(Code.K2301, "{\"__metadata__\":{\"k\":null}," + A + "}", 8);
        refused(Code.K2301, "{\"__metadata__\":[]," + A + "}", 8);
        notes("__metadata__ is null", "{\"__metadata__\":null," + A + "}", 8);
    }

    @DisplayName("S-25 any name is a label; half a surrogate pair is refused")
    @Test
    void anyNameIsALabel() {
        for (String name : List.of("", "\\u0000", "../../x", "C:\\\\x", "\\u001b[31m", "__METADATA__")) {
            open(
                    SafetensorsBytes.of("{" + entry(name, "F32", "[2]", 0, 8) + "}", 8),
                    f -> assertEquals(1, f.tensors().size()));
        }
        refused(Code.K2301, "{" + entry("\\ud800", "F32", "[2]", 0, 8) + "}", 8);
        refused(Code.K2301, "{" + entry("\\ude00\\ud83d", "F32", "[2]", 0, 8) + "}", 8);
        open(SafetensorsBytes.of("{" + entry("\\ud83d\\ude00", "F32", "[2]", 0, 8) + "}", 8), f -> {});
    }

    @DisplayName("S-26 limits: JSON is read to a depth of 32 and no deeper")
    @Test
    void jsonIsReadToADepthOf32() {
        for (int depth : new int[] {30, 31, 200, 100_000}) {
            String json = "{\"a\":{\"x\":" + "[".repeat(depth) + "]".repeat(depth)
                    + ",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
            if (depth == 30) {
                notes("1 unknown field", json, 8);
            } else {
                refused(Code.K2301, json, 8);
            }
        }
    }

    @DisplayName("S-26 limits: a shape has 64 dims at most")
    @Test
    void aShapeHas64DimsAtMost() {
        String dims = "1,".repeat(62);
        open(SafetensorsBytes.of("{" + entry("a", "F32", "[" + dims + "2,1]", 0, 8) + "}", 8), f -> {});
        refused(Code.K2301, "{" + entry("a", "F32", "[" + dims + "2,1,1]", 0, 8) + "}", 8);
    }

    @DisplayName("S-29 offsets need not follow the names; the order of the header is kept")
    @Test
    void offsetsNeedNotFollowTheNames() {
        String json = "{" + entry("b", "U8", "[2]", 4, 6) + "," + entry("a", "U8", "[4]", 0, 4) + "}";
        open(
                SafetensorsBytes.of(json, 6),
                f -> assertEquals(List.of("b", "a"), List.copyOf(f.tensors().keySet())));
    }

    @DisplayName("S-30 data may begin at any byte")
    @Test
    void dataMayBeginAtAnyByte() {
        for (int pad = 0; pad < 9; pad++) {
            open(SafetensorsBytes.of("{" + A + "}" + " ".repeat(pad), 8), f -> {
                byte[] bytes = new byte[4];
                f.tensors().get("a").read(1, 1, java.lang.foreign.MemorySegment.ofArray(bytes));
                assertEquals(5, bytes[0]);
            });
        }
    }

    @DisplayName("S-32 what is saved under the name instead is recognised")
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "version https://git-lfs.github.com/spec/v1 | is a Git LFS pointer",
                "<!DOCTYPE html><html></html> | is a web page",
                "<html><body>401</body></html> | is a web page",
                "'  <!doctype HTML>' | is a web page",
                "{\"error\":\"Repository not found\"} | is a server's error message",
                "{ \"message\": \"401\" } | is a server's error message",
                "{\"detail\":[]} | is a server's error message",
                "PK\u0003\u0004xxxxxxxxxxxxxxxxxxxxx | is a zip archive"
            })
    void whatIsSavedInsteadIsRecognised(String text, String what) {
        Fault fault = refused(Code.K2003, text.getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(fault.what().contains(what), fault.what());
    }
}
