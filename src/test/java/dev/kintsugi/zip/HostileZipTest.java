package dev.kintsugi.zip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
        Fault fault = refused(Code.K2101, new ZipBytes().add(outer).list(within).end());
        assertTrue(fault.what().contains("overlap"), fault.what());
        ZipBytes.Entry same = ZipBytes.stored("a", DATA);
        ZipBytes.Entry long1 = ZipBytes.stored("a", DATA);
        long1.compressed = 20;
        long1.size = 20;
        long1.localSize = 0;
        byte[] intoDirectory = new ZipBytes().add(long1).end();
        refused(Code.K2101, zeroLocalSizes(intoDirectory));
        assertEquals(1, open(new ZipBytes().add(same).end()).records().size());
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
        }
        ZipBytes.Entry ratio = ZipBytes.deflated("a", zeros);
        ratio.size = 0xfffffffeL;
        ratio.localSize = 0xfffffffeL;
        refused(Code.K2101, new ZipBytes().add(ratio).end());
        ZipBytes.Entry broken = ZipBytes.deflated("a", DATA);
        Arrays.fill(broken.data, (byte) 0xff);
        ZipArchive damaged = open(new ZipBytes().add(broken).end());
        assertEquals(
                Code.K2101,
                assertThrows(Fault.class, () -> content(damaged, "a")).code());
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
                refused(Code.K2104, bytes);
            } else {
                assertEquals(size, open(bytes).find("a").orElseThrow().byteCount());
            }
        }
    }

    @DisplayName("Z-03 a local header that disagrees with the directory is refused")
    @Test
    void aLocalHeaderThatDisagreesIsRefused() {
        ZipBytes.Entry name = ZipBytes.stored("a", DATA);
        name.localName = "b".getBytes(StandardCharsets.US_ASCII);
        refused(Code.K2101, new ZipBytes().add(name).end());
        ZipBytes.Entry size = ZipBytes.stored("a", DATA);
        size.localSize = 9;
        refused(Code.K2101, new ZipBytes().add(size).end());
        ZipBytes.Entry method = ZipBytes.stored("a", DATA);
        method.localMethod = 8;
        refused(Code.K2101, new ZipBytes().add(method).end());
        ZipBytes.Entry offset = ZipBytes.stored("a", DATA);
        offset.offset = 1;
        refused(Code.K2101, new ZipBytes().add(offset).end());
        ZipBytes.Entry sizes = ZipBytes.stored("a", DATA);
        sizes.size = 9;
        sizes.localSize = 9;
        refused(Code.K2101, new ZipBytes().add(sizes).end());
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
            refused(Code.K2104, bytes);
        }
    }

    @DisplayName("Z-04 compression methods other than deflate are refused")
    @Test
    void otherMethodsAreRefused() {
        ZipBytes.Entry entry = ZipBytes.stored("a", DATA);
        entry.method = 14;
        entry.localMethod = 14;
        refused(Code.K2104, new ZipBytes().add(entry).end());
    }

    @DisplayName("Z-07 two entries of one name are refused, and what torch would do is said")
    @Test
    void twoEntriesOfOneNameAreRefused() {
        byte[] bytes = new ZipBytes()
                .add(ZipBytes.stored("x/data/0", DATA))
                .add(ZipBytes.stored("x/data/0", DATA))
                .end();
        Fault fault = refused(Code.K2101, bytes);
        assertTrue(fault.what().contains("torch would take the later"), fault.what());
    }

    @DisplayName("Z-08 names are labels, never paths")
    @ParameterizedTest
    @ValueSource(strings = {"../../etc/passwd", "/etc/passwd", "C:\\x", "a\\b", "a\u0000b", ""})
    void namesAreLabels(String name) {
        ZipArchive archive =
                open(new ZipBytes().add(ZipBytes.stored(name, DATA)).end());
        assertArrayEquals(DATA, content(archive, name));
    }

    @DisplayName("Z-10 the end record is the last one whose comment reaches the end of the file")
    @Test
    void theEndRecordIsTheOneWhoseCommentReachesTheEnd() {
        byte[] inner = new ZipBytes().add(ZipBytes.stored("evil", DATA)).end();
        byte[] comment = Arrays.copyOfRange(inner, inner.length - 22, inner.length);
        byte[] bytes = new ZipBytes().add(ZipBytes.stored("a", DATA)).end(comment, 1);
        Fault second = refused(Code.K2101, bytes);
        assertTrue(second.what().contains("z: "), second.what());
        refused(Code.K2101, Arrays.copyOf(two(), two().length + 1));
        byte[] good = two();
        byte[] prefixed = new byte[good.length + 7];
        System.arraycopy(good, 0, prefixed, 7, good.length);
        refused(Code.K2101, prefixed);
        assertTrue(!ZipArchive.looksLikeZip(ByteSource.of(MemorySegment.ofArray(prefixed))));
        refused(Code.K2101, new ZipBytes().add(ZipBytes.stored("a", DATA)).end(new byte[0], 2));
        refused(Code.K2101, new ZipBytes().add(ZipBytes.stored("a", DATA)).end(new byte[0], 0xffff));
    }

    @DisplayName("Z-10 fewer entries counted than the directory holds is refused")
    @Test
    void fewerEntriesCountedThanHeldIsRefused() {
        byte[] bytes = new ZipBytes()
                .add(ZipBytes.stored("a", DATA))
                .add(ZipBytes.stored("b", DATA))
                .end(new byte[0], 1);
        refused(Code.K2101, bytes);
    }

    @DisplayName("Z-11 every prefix of an archive is refused")
    @Test
    void everyPrefixIsRefused() {
        byte[] good = two();
        assertEquals(2, open(good).records().size());
        for (int length = 0; length < good.length; length++) {
            refused(Code.K2101, Arrays.copyOf(good, length));
        }
    }

    @DisplayName("Z-14 offsets and sizes beyond the file are refused, in ZIP64 fields too")
    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 200})
    void offsetsBeyondTheFileAreRefused(long value) {
        for (int field = 0; field < 3; field++) {
            ZipBytes.Entry entry = ZipBytes.stored("a", DATA);
            entry.localSize = 0;
            ByteBuffer extra = ZipBytes.little(12);
            extra.putShort((short) 1).putShort((short) 8).putLong(value);
            entry.extra = extra.array();
            ZipBytes zip = new ZipBytes().add(entry);
            switch (field) {
                case 0 -> entry.size = 0xffffffffL;
                case 1 -> entry.compressed = 0xffffffffL;
                default -> entry.offset = 0xffffffffL;
            }
            refused(Code.K2101, zip.end());
        }
    }

    @DisplayName("limits: the number of entries")
    @Test
    void theNumberOfEntriesIsLimited() {
        byte[] good = two();
        int end = good.length - 22;
        ByteBuffer wide = ZipBytes.little(good.length + 76);
        wide.put(good, 0, end);
        wide.putInt(0x06064b50).putLong(44).putInt(0).putLong(0).putLong(2);
        int countAt = wide.position();
        wide.putLong(2).putLong(end - directoryStart(good)).putLong(directoryStart(good));
        wide.putInt(0x07064b50).putInt(0).putLong(end).putInt(1);
        wide.putInt(0x06054b50).putInt(0).putInt(-1).putInt(-1).putInt(-1).putShort((short) 0);
        assertEquals(2, open(wide.array()).records().size());
        wide.putLong(countAt, Limit.ZIP_ENTRIES.value());
        assertTrue(refused(Code.K2101, wide.array()).what().contains("entry 2"));
        wide.putLong(countAt, Limit.ZIP_ENTRIES.value() + 1L);
        assertTrue(refused(Code.K2101, wide.array()).what().contains("claims"));
        wide.putLong(countAt, -1);
        refused(Code.K2101, wide.array());
    }

    private static int directoryStart(byte[] archive) {
        return ByteBuffer.wrap(archive).order(ByteOrder.LITTLE_ENDIAN).getInt(archive.length - 6);
    }
}
