package dev.kintsugi.zip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ZipBytes;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ByteSource;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Archives that no program writes. The ids are those of docs/reference/safety.md.
class HostileZipTest {
    private static final byte[] DATA = "0123456789".getBytes(StandardCharsets.US_ASCII);

    private static ZipArchive open(byte[] bytes) {
        return ZipArchive.open("z", ByteSource.of(MemorySegment.ofArray(bytes)));
    }

    private static Fault refused(Code code, byte[] bytes) {
        Fault fault = assertThrows(Fault.class, () -> open(bytes));
        assertEquals(code, fault.code(), fault.what());
        return fault;
    }

    private static void refused(Code code, String what, byte[] bytes) {
        assertEquals("z: " + what, refused(code, bytes).what());
    }

    private static void damaged(String what, byte[] bytes) {
        refused(Code.K2101, what, bytes);
    }

    private static byte[] content(ZipArchive archive, String name) {
        ZipRecord record = archive.find(name).orElseThrow();
        return archive.open(record).bytes(0, (int) record.byteCount());
    }

    private static byte[] two() {
        return new ZipBytes()
                .add(ZipBytes.stored("a", DATA))
                .add(ZipBytes.stored("b", DATA))
                .end();
    }

    @DisplayName("Z-01 entries that overlap one another or the directory are refused")
    @Test
    void entriesThatOverlapAreRefused() {
        ZipBytes.Entry inner = ZipBytes.stored("b", new byte[2]);
        byte[] quoted = new ZipBytes().add(inner).end();
        ZipBytes.Entry outer = ZipBytes.stored("a", Arrays.copyOf(quoted, 33));
        ZipBytes.Entry within = ZipBytes.stored("b", new byte[2]);
        within.offset = 31;
        damaged(
                "entries a and b overlap",
                new ZipBytes().add(outer).list(within).end());
        ZipBytes.Entry head = ZipBytes.stored("a", Arrays.copyOf(quoted, 31));
        ZipBytes.Entry behind = ZipBytes.stored("b", new byte[2]);
        behind.offset = 31;
        byte[] headWithin =
                new ZipBytes().add(head).raw(new byte[2]).list(behind).end();
        damaged("entries a and b overlap", headWithin);
        ZipBytes.Entry long1 = ZipBytes.stored("a", DATA);
        long1.compressed = 20;
        long1.size = 20;
        long1.localSize = 0;
        byte[] intoDirectory = new ZipBytes().add(long1).end();
        damaged(
                "entry a holds 20 bytes from byte 31, the directory begins at 41 of 110",
                zeroLocalSizes(intoDirectory));
        assertEquals(
                1,
                open(new ZipBytes().add(ZipBytes.stored("a", DATA)).end())
                        .records()
                        .size());
    }

    private static byte[] zeroLocalSizes(byte[] bytes) {
        Arrays.fill(bytes, 18, 26, (byte) 0);
        return bytes;
    }

    @DisplayName("Z-02 a deflated entry inflates to what it says and no further")
    @Test
    void aDeflatedEntryInflatesToWhatItSays() {
        byte[] zeros = new byte[1 << 20];
        assertArrayEquals(
                zeros,
                content(open(new ZipBytes().add(ZipBytes.deflated("a", zeros)).end()), "a"));
        for (int size : new int[] {1, zeros.length - 1, zeros.length + 1}) {
            ZipBytes.Entry lies = ZipBytes.deflated("a", zeros);
            lies.size = size;
            lies.localSize = size;
            ZipArchive archive = open(new ZipBytes().add(lies).end());
            Fault fault = assertThrows(Fault.class, () -> content(archive, "a"));
            assertEquals(Code.K2101, fault.code());
            assertEquals(
                    "z: record a is " + (size > zeros.length ? "shorter" : "longer") + " than it says", fault.what());
        }
        ZipBytes.Entry ratio = ZipBytes.deflated("a", zeros);
        ratio.size = 0xfffffffeL;
        ratio.localSize = 0xfffffffeL;
        damaged(
                "entry a claims to inflate " + ratio.data.length + " bytes to 4294967294",
                new ZipBytes().add(ratio).end());
        ZipBytes.Entry broken = ZipBytes.deflated("a", DATA);
        Arrays.fill(broken.data, (byte) 0xff);
        ZipArchive damaged = open(new ZipBytes().add(broken).end());
        Fault fault = assertThrows(Fault.class, () -> content(damaged, "a"));
        assertEquals(Code.K2101, fault.code());
        assertTrue(fault.what().startsWith("z: record a cannot be inflated: "), fault.what());
    }

    @DisplayName("Z-02 an archive within an archive is bytes")
    @Test
    void anArchiveWithinAnArchiveIsBytes() {
        byte[] inner = two();
        for (ZipBytes.Entry entry : List.of(ZipBytes.stored("x", inner), ZipBytes.deflated("x", inner))) {
            ZipArchive outer = open(new ZipBytes().add(entry).end());
            assertEquals(Set.of("x"), outer.records().keySet());
            assertArrayEquals(inner, content(outer, "x"));
        }
    }

    @DisplayName("Z-02 the deflated entries of an archive are limited together")
    @Test
    void deflatedEntriesAreLimitedTogether() {
        byte[] bytes = new ZipBytes()
                .add(ZipBytes.deflated("a", new byte[60]))
                .add(ZipBytes.stored("b", new byte[1000]))
                .add(ZipBytes.deflated("c", new byte[40]))
                .end();
        Limit.during(Map.of(Limit.INFLATED_BYTES, 100L), () -> open(bytes));
        Limit.during(Map.of(Limit.INFLATED_BYTES, 99L), () -> {
            Fault fault = refused(Code.K2104, bytes);
            assertEquals("z: entries up to c are deflated and hold 100 bytes, the limit is 99", fault.what());
            return fault;
        });
    }

    @DisplayName("Z-02 a deflated entry beyond the limit is refused by name")
    @Test
    void aDeflatedEntryBeyondTheLimitIsRefused() {
        for (long size : new long[] {Limit.INFLATED_BYTES.value(), Limit.INFLATED_BYTES.value() + 1}) {
            ZipBytes.Entry large = ZipBytes.deflated("a", DATA);
            large.data = new byte[2 << 20];
            large.compressed = large.data.length;
            large.size = size;
            large.localSize = size;
            byte[] bytes = new ZipBytes().add(large).end();
            if (size > Limit.INFLATED_BYTES.value()) {
                refused(
                        Code.K2104,
                        "entries up to a are deflated and hold 1073741825 bytes, the limit is 1073741824",
                        bytes);
            } else {
                assertEquals(size, open(bytes).find("a").orElseThrow().byteCount());
            }
        }
    }

    @DisplayName("Z-03 a local header that disagrees with the directory is refused")
    @Test
    void aLocalHeaderThatDisagreesIsRefused() {
        String header = "the local header of entry a ";
        for (String other : List.of("b", "aa", "")) {
            ZipBytes.Entry name = ZipBytes.stored("a", DATA);
            name.localName = other.getBytes(StandardCharsets.US_ASCII);
            damaged(
                    header + "does not match the directory",
                    new ZipBytes().add(name).end());
        }
        ZipBytes.Entry size = ZipBytes.stored("a", DATA);
        size.localSize = 9;
        damaged(
                header + "says another size than the directory: 9, not 10",
                new ZipBytes().add(size).end());
        ZipBytes.Entry shorter = ZipBytes.stored("a", DATA);
        shorter.size = 9;
        shorter.localSize = 9;
        shorter.compressed = 9;
        damaged(
                header + "says another stored size than the directory: 10, not 9",
                new ZipBytes().add(shorter).end());
        ZipBytes.Entry method = ZipBytes.stored("a", DATA);
        method.localMethod = 8;
        damaged(
                header + "says another method than the directory: 8, not 0",
                new ZipBytes().add(method).end());
        byte[] flags = new ZipBytes().add(ZipBytes.stored("a", DATA)).end();
        flags[6] = 1;
        damaged(header + "says another way of encryption than the directory: 1, not 0", flags);
        ZipBytes.Entry offset = ZipBytes.stored("a", DATA);
        offset.offset = 1;
        damaged(
                header + "does not match the directory",
                new ZipBytes().add(offset).end());
        ZipBytes.Entry sizes = ZipBytes.stored("a", DATA);
        sizes.size = 9;
        sizes.localSize = 9;
        damaged(
                "entry a is stored, yet has two sizes: 10, 9",
                new ZipBytes().add(sizes).end());
    }

    @DisplayName("Z-04 encrypted and patched entries are refused, data descriptors are read")
    @ParameterizedTest
    @ValueSource(ints = {0x1, 0x20, 0x40, 0x2000, 0x8, 0x800})
    void flagsAreRefusedOrWithoutEffect(int flag) {
        ZipBytes.Entry entry = ZipBytes.stored("a", DATA);
        entry.flags = flag;
        byte[] bytes = new ZipBytes().add(entry).end();
        if (flag == 0x8 || flag == 0x800) {
            assertArrayEquals(DATA, content(open(zeroLocalSizes(bytes)), "a"));
        } else {
            refused(Code.K2104, "entry a is encrypted, a patch, or compressed by method 0", bytes);
        }
    }

    @DisplayName("Z-04 an entry with a data descriptor is read by the directory, whatever the descriptor says")
    @Test
    void dataDescriptorsAreSkipped() {
        for (int size : new int[] {10, 11, 0}) {
            ZipBytes.Entry entry = ZipBytes.stored("a", DATA);
            entry.flags = 8;
            byte[] descriptor = ZipBytes.little(16)
                    .putInt(0x08074b50)
                    .putInt((int) entry.crc)
                    .putInt(size)
                    .putInt(size)
                    .array();
            byte[] bytes = new ZipBytes()
                    .add(entry)
                    .raw(descriptor)
                    .add(ZipBytes.stored("b", DATA))
                    .end();
            assertArrayEquals(DATA, content(open(zeroLocalSizes(bytes)), "a"));
            assertArrayEquals(DATA, content(open(bytes), "b"));
        }
    }

    @DisplayName("Z-04 compression methods other than deflate are refused")
    @Test
    void otherMethodsAreRefused() {
        ZipBytes.Entry entry = ZipBytes.stored("a", DATA);
        entry.method = 14;
        entry.localMethod = 14;
        refused(
                Code.K2104,
                "entry a is encrypted, a patch, or compressed by method 14",
                new ZipBytes().add(entry).end());
    }

    @DisplayName("Z-07 two entries of one name are refused, and what torch would do is said")
    @Test
    void twoEntriesOfOneNameAreRefused() {
        byte[] bytes = new ZipBytes()
                .add(ZipBytes.stored("x/data/0", DATA))
                .add(ZipBytes.stored("x/data/0", DATA))
                .end();
        damaged("two entries are named x/data/0; torch would take the later one", bytes);
    }

    @DisplayName("Z-08 names are labels, never paths")
    @ParameterizedTest
    @ValueSource(strings = {"../../etc/passwd", "/etc/passwd", "C:\\x", "a\\b", "a\u0000b", ""})
    void namesAreLabels(String name) {
        ZipArchive archive =
                open(new ZipBytes().add(ZipBytes.stored(name, DATA)).end());
        assertArrayEquals(DATA, content(archive, name));
    }

    @DisplayName("Z-10 whatever stands behind the end record is refused, for readers differ in which they take")
    @Test
    void whateverStandsBehindTheEndIsRefused() {
        byte[] inner = new ZipBytes().add(ZipBytes.stored("evil", DATA)).end();
        byte[] second = Arrays.copyOfRange(inner, inner.length - 22, inner.length);
        byte[] wrongComment = second.clone();
        wrongComment[20] = 7;
        String end = "the zip archive has its end record at byte ";
        String behind = ", and behind it a comment or junk of ";
        damaged(
                end + "110" + behind + "7 bytes",
                new ZipBytes().add(ZipBytes.stored("a", DATA)).end(wrongComment, 1));
        damaged(
                "16 bytes lie between the zip directory and its end record",
                new ZipBytes().add(ZipBytes.stored("a", DATA)).end(second, 1));
        damaged(
                end + "88" + behind + "5 bytes",
                new ZipBytes().add(ZipBytes.stored("a", DATA)).end(new byte[5], 1));
        damaged(end + "176" + behind + "1 bytes", Arrays.copyOf(two(), two().length + 1));
        damaged(
                "the zip archive has no end record in its last 65557 bytes",
                Arrays.copyOf(two(), two().length + 65_536));
    }

    @DisplayName("Z-10 whatever stands before or within an archive is refused")
    @Test
    void whateverStandsBeforeOrWithinIsRefused() {
        byte[] good = two();
        byte[] prefixed = new byte[good.length + 7];
        System.arraycopy(good, 0, prefixed, 7, good.length);
        damaged("7 bytes lie between the zip directory and its end record", prefixed);
        assertFalse(ZipArchive.looksLikeZip(ByteSource.of(MemorySegment.ofArray(prefixed))));
        byte[] adjusted =
                new ZipBytes().raw(good).add(ZipBytes.stored("c", DATA)).end();
        damaged("198 bytes lie before the first entry, c", adjusted);
        int end = good.length - 22;
        byte[] gap = new byte[good.length + 4];
        System.arraycopy(good, 0, gap, 0, end);
        System.arraycopy(good, end, gap, end + 4, 22);
        damaged("4 bytes lie between the zip directory and its end record", gap);
    }

    @DisplayName("Z-10 a count of entries that lies is refused")
    @Test
    void aCountOfEntriesThatLiesIsRefused() {
        byte[] none = new byte[0];
        ZipBytes one = new ZipBytes().add(ZipBytes.stored("a", DATA));
        damaged("entry 1 of the zip directory is damaged", one.end(none, 2));
        damaged("the ZIP64 locator is missing", one.end(none, 0xffff));
        ZipBytes many = new ZipBytes();
        for (int i = 0; i < 65_536; i++) {
            many.add(ZipBytes.stored("n" + i, none));
        }
        damaged("the zip directory holds more than the 0 entries it counts", many.end(none, 65_536));
        many.add(ZipBytes.stored("a", DATA));
        damaged("the zip directory holds more than the 1 entries it counts", many.end(none, 65_537));
        byte[] fewer = new ZipBytes()
                .add(ZipBytes.stored("a", DATA))
                .add(ZipBytes.stored("b", DATA))
                .end(none, 1);
        damaged("the zip directory holds more than the 1 entries it counts", fewer);
    }

    /// [#two()] with a ZIP64 end record of `count` entries, `bytes` of directory from `offset` on, as torch writes it
    /// beside narrow fields that say the same, or all ones.
    private static ByteBuffer wide(boolean narrow, long count, long bytes, long offset) {
        byte[] good = two();
        int end = good.length - 22;
        ByteBuffer wide = ZipBytes.little(good.length + 76);
        wide.put(good, 0, end);
        wide.putInt(0x06064b50).putLong(44).putInt(0).putInt(0).putInt(0);
        wide.putLong(count).putLong(count).putLong(bytes).putLong(offset);
        wide.putInt(0x07064b50).putInt(0).putLong(end).putInt(1);
        if (narrow) {
            wide.put(good, end, 22);
        } else {
            wide.putInt(0x06054b50).putInt(0).putInt(-1).putInt(-1).putInt(-1).putShort((short) 0);
        }
        return wide;
    }

    @DisplayName("Z-10 ZIP64 fields that lie are refused, also where the narrow ones would do")
    @Test
    void zip64FieldsThatLieAreRefused() {
        assertEquals(2, open(wide(true, 2, 94, 82).array()).records().size());
        assertEquals(2, open(wide(false, 2, 94, 82).array()).records().size());
        damaged(
                "the end records disagree on the entries: 2, and 1 in ZIP64",
                wide(true, 1, 94, 82).array());
        damaged(
                "the end records disagree on the bytes of the directory: 94, and 47 in ZIP64",
                wide(true, 2, 47, 82).array());
        damaged(
                "the end records disagree on the offset of the directory: 82, and 129 in ZIP64",
                wide(true, 2, 94, 129).array());
        long[] lies = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 177};
        for (long lie : lies) {
            String unsigned = Long.toUnsignedString(lie);
            damaged(
                    "the zip directory lies outside the file: " + unsigned + " bytes from byte 82",
                    wide(false, 2, lie, 82).array());
            damaged(
                    "the zip directory lies outside the file: 94 bytes from byte " + unsigned,
                    wide(false, 2, 94, lie).array());
            byte[] locator = wide(true, 2, 94, 82).putLong(176 + 56 + 8, lie).array();
            damaged("the ZIP64 locator is damaged", locator);
        }
        damaged(
                "the ZIP64 end record is damaged",
                wide(true, 2, 94, 82).putInt(176, 0).array());
        damaged(
                "the ZIP64 end record is damaged",
                wide(true, 2, 94, 82).putLong(180, 45).array());
        String split = "a zip archive split over several disks";
        refused(Code.K2104, split, wide(true, 2, 94, 82).putInt(192, 1).array());
        refused(Code.K2104, split, wide(true, 2, 94, 82).putInt(196, 1).array());
        refused(Code.K2104, split, wide(false, 2, 94, 82).putLong(200, 1).array());
        byte[] narrow = two();
        narrow[narrow.length - 18] = 1;
        refused(Code.K2104, split, narrow);
    }

    @DisplayName("Z-11 every prefix of an archive is refused")
    @Test
    void everyPrefixIsRefused() {
        byte[] good = two();
        assertEquals(2, open(good).records().size());
        for (int length = 0; length < good.length; length++) {
            damaged(
                    length < 22
                            ? "holds " + length + " bytes, too few for a zip archive"
                            : "the zip archive has no end record in its last " + length + " bytes",
                    Arrays.copyOf(good, length));
        }
    }

    @DisplayName("Z-11 an archive without its central directory is refused")
    @Test
    void anArchiveWithoutItsDirectoryIsRefused() {
        byte[] good = two();
        byte[] removed = new byte[good.length - 94];
        System.arraycopy(good, 0, removed, 0, 82);
        System.arraycopy(good, good.length - 22, removed, 82, 22);
        damaged("the zip directory lies outside the file: 94 bytes from byte 82", removed);
        Arrays.fill(good, 82, 176, (byte) 0);
        damaged("entry 0 of the zip directory is damaged", good);
    }

    @DisplayName("Z-14 offsets and sizes beyond the file are refused, in ZIP64 fields too")
    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 200})
    void offsetsBeyondTheFileAreRefused(long value) {
        String unsigned = Long.toUnsignedString(value);
        ZipBytes.Entry far = ZipBytes.stored("a", DATA);
        far.extra = zip64(value);
        ZipBytes zip = new ZipBytes().add(far);
        far.offset = 0xffffffffL;
        damaged("entry a lies at byte " + unsigned + (value < 0 ? ", outside the file" : " of 122"), zip.end());
        ZipBytes.Entry large = ZipBytes.stored("a", DATA);
        large.localSize = 0;
        large.extra = zip64(value, value);
        ZipBytes sized = new ZipBytes().add(large);
        large.size = 0xffffffffL;
        large.compressed = 0xffffffffL;
        damaged(
                value < 0
                        ? "entry a holds " + unsigned + " bytes of " + unsigned + ", more than any file"
                        : "entry a holds " + unsigned + " bytes from byte 31, the directory begins at 41 of 130",
                zeroLocalSizes(sized.end()));
        ZipBytes.Entry inflating = ZipBytes.deflated("a", DATA);
        inflating.localSize = 0;
        inflating.extra = zip64(value);
        ZipBytes deflated = new ZipBytes().add(inflating);
        inflating.size = 0xffffffffL;
        int stored = inflating.data.length;
        if (value != 200) {
            damaged(
                    value < 0
                            ? "entry a holds " + stored + " bytes of " + unsigned + ", more than any file"
                            : "entry a claims to inflate " + stored + " bytes to " + unsigned,
                    deflated.end());
        }
    }

    private static byte[] zip64(long... values) {
        ByteBuffer extra = ZipBytes.little(4 + 8 * values.length);
        extra.putShort((short) 1).putShort((short) (8 * values.length));
        for (long value : values) {
            extra.putLong(value);
        }
        return extra.array();
    }

    @DisplayName("Z-14 offsets and sizes of 32 bits are not taken for negative")
    @ParameterizedTest
    @ValueSource(longs = {0x80000000L, 0xfffffffeL, 0x7fffffffL})
    void narrowOffsetsAreUnsigned(long value) {
        ZipBytes.Entry far = ZipBytes.stored("a", DATA);
        ZipBytes zip = new ZipBytes().add(far);
        far.offset = value;
        damaged("entry a lies at byte " + value + " of 110", zip.end());
        ZipBytes.Entry large = ZipBytes.stored("a", DATA);
        ZipBytes sized = new ZipBytes().add(large);
        large.size = value;
        large.compressed = value;
        damaged(
                "entry a holds " + value + " bytes from byte 31, the directory begins at 41 of 110",
                zeroLocalSizes(sized.end()));
        ByteBuffer directory = ByteBuffer.wrap(two()).order(ByteOrder.LITTLE_ENDIAN);
        directory.putInt(directory.capacity() - 6, (int) value);
        damaged("the zip directory lies outside the file: 94 bytes from byte " + value, directory.array());
    }

    @DisplayName("limits: the number of entries")
    @Test
    void theNumberOfEntriesIsLimited() {
        int most = Limit.ZIP_ENTRIES.intValue();
        damaged(
                "entry 2 of the zip directory is damaged",
                wide(false, most, 94, 82).array());
        Fault beyond = refused(Code.K2101, wide(false, most + 1L, 94, 82).array());
        assertEquals("z: the zip directory claims 4000001 entries in 94 bytes, the limit is 4000000", beyond.what());
        damaged(
                "the zip directory claims 18446744073709551615 entries in 94 bytes",
                wide(false, -1, 94, 82).array());
    }
}
