package dev.kintsugi.safetensors;

import static dev.kintsugi.SafetensorsBytes.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.util.Map;
import java.util.Set;
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

    private void damaged(String what, String json, int dataBytes) {
        assertEquals(
                "m.safetensors: " + what, refused(Code.K2301, json, dataBytes).what());
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
            assertEquals(
                    "m.safetensors: holds " + length + " bytes, a header needs 8 at least",
                    refused(Code.K2302, new byte[length]).what());
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
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "[] | the header does not begin with '{'",
                "1 | the header does not begin with '{'",
                "null | the header does not begin with '{'",
                "\"a\" | the header does not begin with '{'",
                "\ufeff{} | the header does not begin with '{'",
                "x{} | the header does not begin with '{'",
                "{}{} | something follows the header's closing brace",
                "{} 1 | something follows the header's closing brace",
                "{\"a\":[]} | a is no object",
                "{\"a\":NaN} | the header: no JSON: Non-standard token 'NaN'",
                "{ | the header: no JSON: Unexpected end-of-input: expected close marker for Object",
                "{\"a\"} | the header: no JSON: Unexpected character ('}' (code 125)): was expecting a colon",
                "{,} | the header: no JSON: Unexpected character (',' (code 44)): was expecting double-quote",
                "{'a':1} | the header: no JSON: Unexpected character (",
                "{/*x*/} | the header: no JSON: Unexpected character ('/' (code 47))"
            })
    void aHeaderThatIsNoObjectIsRefused(String json, String what) {
        Fault fault = refused(Code.K2301, json, 0);
        assertTrue(fault.what().startsWith("m.safetensors: " + what), fault.what());
        assertFalse(fault.what().contains("Feature"), fault.what());
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
        damaged(
                "bytes 0 to 4611686018427387904 of the data, between the header and a, belong to no tensor",
                "{" + entry("a", "U8", "[0]", 1L << 62, 1L << 62) + "}",
                8);
        damaged(
                "a ends at byte 9223372036854775807 of the data, where no file reaches",
                "{" + entry("a", "U8", "[0]", Long.MAX_VALUE, Long.MAX_VALUE) + "}",
                8);
        damaged(
                "bytes 0 to 100 of the data, between the header and a, belong to no tensor",
                "{" + entry("a", "F32", "[2]", 100, 108) + "}",
                8);
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
    @CsvSource(
            delimiter = '|',
            value = {
                "[-1] | a.shape holds -1",
                "[18446744073709551618] | a.shape holds 18446744073709551618",
                "[2.0] | a.shape holds what is no whole number",
                "[\"2\"] | a.shape holds what is no whole number",
                "[null] | a.shape holds what is no whole number",
                "[2e0] | a.shape holds what is no whole number",
                "[1e3] | a.shape holds what is no whole number",
                "[true] | a.shape holds what is no whole number",
                "[[2]] | a.shape holds what is no whole number",
                "2 | a.shape is no array",
                "null | a.shape is no array",
                "{} | a.shape is no array",
                "[02] | the header: no JSON: Invalid numeric value: Leading zeroes not allowed",
                "[+2] | the header: no JSON: "
            })
    void dimsThatAreNoWholeNumbersAreRefused(String shape, String what) {
        Fault fault = refused(Code.K2301, "{" + entry("a", "F32", shape, 0, 8) + "}", 8);
        assertTrue(fault.what().startsWith("m.safetensors: " + what), fault.what());
    }

    @DisplayName("S-19 shapes whose product overflows are refused, though a dim of 0 follows")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "[4611686018427387904, 4611686018427387904]",
                "[4611686018427387904, 4611686018427387904, 0]",
                "[9223372036854775807]"
            })
    void shapesThatOverflowAreRefused(String shape) {
        damaged(
                "a has the shape " + shape + ", whose bytes cannot be counted in 63 bits",
                "{" + entry("a", "F32", shape, 0, 0) + "}",
                0);
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
        damaged("a is there twice", "{" + A + "," + entry("a", "F32", "[2]", 8, 16) + "}", 16);
        damaged("a is there twice", "{" + A + "," + entry("\\u0061", "F32", "[2]", 8, 16) + "}", 16);
        damaged("__metadata__.k is there twice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + A + "}", 8);
        for (String first : List.of("{}", "{\"k\":\"1\"}", "null")) {
            for (String second : List.of("{}", "{\"j\":\"1\"}", "null")) {
                damaged(
                        "__metadata__ is there twice",
                        "{\"__metadata__\":" + first + ",\"__metadata__\":" + second + "," + A + "}",
                        8);
            }
        }
    }

    @DisplayName("S-22 a field given twice is refused")
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"dtype | \"I32\"", "shape | [2]", "data_offsets | [0,8]", "other | 1"})
    void aFieldGivenTwiceIsRefused(String field, String value) {
        String fields = "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"other\":0";
        damaged("a." + field + " is there twice", "{\"a\":{" + fields + ",\"" + field + "\":" + value + "}}", 8);
    }

    @DisplayName("S-23 a field too many is noted, one too few refused")
    @Test
    void aFieldTooManyIsNotedOneTooFewRefused() {
        notes(
                "1 unknown field",
                "{\"a\":{\"x\":{\"y\":[1]},\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                8);
        damaged("a lacks its dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        damaged("a lacks its shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8);
        String offsets = "a lacks its data_offsets, which are two numbers";
        damaged(offsets, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8);
        damaged(offsets, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8);
        damaged(offsets, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8);
        damaged("a is no object", "{\"a\":1}", 8);
    }

    @DisplayName("S-24 metadata that is no text is refused, null is noted")
    @Test
    void metadataThatIsNoTextIsRefused() {
        damaged("__metadata__.k is no text", "{\"__metadata__\":{\"k\":1}," + A + "}", 8);
        damaged("__metadata__.k is no text", "{\"__metadata__\":{\"k\":null}," + A + "}", 8);
        damaged("__metadata__ is no object", "{\"__metadata__\":[]," + A + "}", 8);
        notes("__metadata__ is null", "{\"__metadata__\":null," + A + "}", 8);
    }

    @DisplayName("S-25 any name is a label; half a surrogate pair is refused")
    @Test
    void anyNameIsALabel() {
        Map<String, String> names = Map.of(
                "", "",
                "\\u0000", "\u0000",
                "../../x", "../../x",
                "C:\\\\x", "C:\\x",
                "\\u001b[31m", "\u001b[31m",
                "__METADATA__", "__METADATA__",
                "\\ud83d\\ude00", "\ud83d\ude00");
        names.forEach((json, name) -> open(
                SafetensorsBytes.of("{" + entry(json, "F32", "[2]", 0, 8) + "}", 8),
                f -> assertEquals(Set.of(name), f.tensors().keySet())));
        for (String half : List.of("\\ud800", "\\ud800x", "\\ude00\\ud83d", "\\ude00")) {
            Fault fault = refused(Code.K2301, "{" + entry(half, "F32", "[2]", 0, 8) + "}", 8);
            assertTrue(fault.what().contains("surrogate"), fault.what());
        }
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
                Fault fault = refused(Code.K2301, json, 8);
                assertEquals(
                        "m.safetensors: the header: objects and arrays lie deeper within one another, the limit is 32",
                        fault.what());
                assertTrue(fault.next().contains("json-depth"), fault.next());
            }
        }
    }

    @DisplayName("S-26 limits: a shape has 64 dims at most")
    @Test
    void aShapeHas64DimsAtMost() {
        String dims = "1,".repeat(62);
        open(SafetensorsBytes.of("{" + entry("a", "F32", "[" + dims + "2,1]", 0, 8) + "}", 8), f -> {});
        damaged(
                "a.shape has 65 numbers or more, the limit is 64",
                "{" + entry("a", "F32", "[" + dims + "2,1,1]", 0, 8) + "}",
                8);
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
