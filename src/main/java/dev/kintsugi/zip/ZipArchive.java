package dev.kintsugi.zip;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.work.Job;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// The directory of a zip archive, checked before anything is read by it.
///
/// **Errors.** [Fault] `K2101` for damage, `K2104` for a feature that is not read; messages name `place`.
public final class ZipArchive {
    private static final int END_BYTES = 22;
    private static final int END_SIGNATURE = 0x06054b50;
    private static final int END64_LOCATOR_SIGNATURE = 0x07064b50;
    private static final int END64_SIGNATURE = 0x06064b50;
    private static final int CENTRAL_SIGNATURE = 0x02014b50;
    private static final int LOCAL_SIGNATURE = 0x04034b50;
    private static final int LOCAL_BYTES = 30;
    private static final int CENTRAL_BYTES = 46;
    private static final int MAX_COMMENT = 0xffff;
    private static final int LOCATOR_BYTES = 20;
    private static final int END64_BYTES = 56;
    private static final long MAX_DEFLATE_RATIO = 1032;

    /// Encrypted, a patch, strongly encrypted, with masked headers.
    private static final int REFUSED_FLAGS = 0x2061;

    private static final long UINT32 = 0xffffffffL;

    private final String place;
    private final ByteSource source;
    private final SequencedMap<String, ZipRecord> records;

    private ZipArchive(String place, ByteSource source, SequencedMap<String, ZipRecord> records) {
        this.place = place;
        this.source = source;
        this.records = records;
    }

    /// Whether `source` begins as an archive does.
    public static boolean looksLikeZip(ByteSource source) {
        return source.byteCount() >= END_BYTES && buffer(source, 0, 4).getInt() == LOCAL_SIGNATURE;
    }

    /// Reads the directory of the archive that is all of `source`. `place` names it in messages.
    public static ZipArchive open(String place, ByteSource source) {
        return new Reader(place, source).read();
    }

    public SequencedMap<String, ZipRecord> records() {
        return records;
    }

    public Optional<ZipRecord> find(String name) {
        return Optional.ofNullable(records.get(name));
    }

    /// The uncompressed bytes of `record`. A stored record is a slice; a deflated one is inflated into memory.
    public ByteSource open(ZipRecord record) {
        if (!record.deflated()) {
            return source.slice(record.dataOffset(), record.byteCount());
        }
        return ByteSource.of(inflate(record));
    }

    private MemorySegment inflate(ZipRecord record) {
        MemorySegment target = Arena.ofAuto().allocate(Math.max(1, record.byteCount()));
        byte[] in = new byte[1 << 16];
        byte[] out = new byte[1 << 16];
        Inflater inflater = new Inflater(true);
        try {
            long read = 0;
            long written = 0;
            while (!inflater.finished()) {
                if (inflater.needsInput()) {
                    int count = (int) Math.min(in.length, record.compressedByteCount() - read);
                    if (count == 0) {
                        throw damaged("record " + record.name() + " ends before its data does");
                    }
                    source.read(record.dataOffset() + read, count, MemorySegment.ofArray(in), 0);
                    inflater.setInput(in, 0, count);
                    read += count;
                }
                Job.checkCurrent();
                int count = inflater.inflate(out);
                if (count == 0 && inflater.needsDictionary()) {
                    throw damaged("record " + record.name() + " needs a dictionary");
                }
                if (written + count > record.byteCount()) {
                    throw damaged("record " + record.name() + " is longer than it says");
                }
                MemorySegment.copy(MemorySegment.ofArray(out), 0, target, written, count);
                written += count;
            }
            if (written != record.byteCount()) {
                throw damaged("record " + record.name() + " is shorter than it says");
            }
        } catch (DataFormatException e) {
            throw damaged("record " + record.name() + " cannot be inflated: " + e.getMessage());
        } finally {
            inflater.end();
        }
        return target.asSlice(0, record.byteCount());
    }

    private Fault damaged(String what) {
        return damaged(place, what);
    }

    private static Fault damaged(String place, String what) {
        return new Fault(
                Code.K2101,
                place + ": " + what,
                "the file was cut short, is still being written, or was not written by torch",
                "copy the file again; check it with: verify");
    }

    private static ByteBuffer buffer(ByteSource source, long offset, int count) {
        return ByteBuffer.wrap(source.bytes(offset, count)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// Walks the structures from the end of the archive to its directory.
    private static final class Reader {
        private final String place;
        private final ByteSource source;
        private final List<Extent> extents = new ArrayList<>();
        private long directoryOffset;

        /// Where an entry lies, from its local header to the end of its data.
        private record Extent(String name, long begin, long end) {}

        Reader(String place, ByteSource source) {
            this.place = place;
            this.source = source;
        }

        ZipArchive read() {
            if (source.byteCount() < END_BYTES) {
                throw damaged(place, "holds " + source.byteCount() + " bytes, too few for a zip archive");
            }
            long end = checkEnd();
            ByteBuffer tail = buffer(source, end, END_BYTES);
            long count = tail.getShort(10) & 0xffff;
            long here = tail.getShort(8) & 0xffff;
            long directoryBytes = tail.getInt(12) & UINT32;
            long disks = (tail.getShort(4) & 0xffff) | (tail.getShort(6) & 0xffff);
            directoryOffset = tail.getInt(16) & UINT32;
            long directoryEnd = end;
            if (hasLocator(end)) {
                ByteBuffer wide = end64(end);
                directoryEnd = end - LOCATOR_BYTES - END64_BYTES;
                count = wide("entries", count, 0xffff, wide.getLong(32));
                here = wide("entries on this disk", here, 0xffff, wide.getLong(24));
                directoryBytes = wide("bytes of the directory", directoryBytes, UINT32, wide.getLong(40));
                directoryOffset = wide("offset of the directory", directoryOffset, UINT32, wide.getLong(48));
                disks |= wide.getInt(16) | wide.getInt(20);
            } else if (count == 0xffff || directoryBytes == UINT32 || directoryOffset == UINT32) {
                throw damaged(place, "the ZIP64 locator is missing");
            }
            if (disks != 0 || here != count) {
                throw new Fault(
                        Code.K2104,
                        place + ": a zip archive split over several disks",
                        "torch does not write such files",
                        "join the parts with a zip tool first");
            }
            if (directoryOffset < 0 || directoryBytes < 0 || directoryOffset > directoryEnd - directoryBytes) {
                throw damaged(
                        place,
                        "the zip directory lies outside the file: " + Long.toUnsignedString(directoryBytes)
                                + " bytes from byte " + Long.toUnsignedString(directoryOffset));
            }
            if (directoryOffset + directoryBytes != directoryEnd) {
                throw damaged(
                        place,
                        (directoryEnd - directoryOffset - directoryBytes)
                                + " bytes lie between the zip directory and its end record");
            }
            String claim = "the zip directory claims " + Long.toUnsignedString(count) + " entries in " + directoryBytes
                    + " bytes";
            if (count < 0) {
                throw damaged(place, claim);
            }
            Limit.ZIP_ENTRIES.check(count, Code.K2101, () -> place + ": " + claim);
            Limit.ZIP_DIRECTORY.check(directoryBytes, Code.K2101, () -> place + ": " + claim);
            return new ZipArchive(place, source, entries(buffer(source, directoryOffset, (int) directoryBytes), count));
        }

        /// Where the end record is: the last bytes of all. Readers differ in which they take where more follows.
        private long checkEnd() {
            int span = (int) Math.min(source.byteCount(), END_BYTES + MAX_COMMENT);
            long start = source.byteCount() - span;
            ByteBuffer tail = buffer(source, start, span);
            int at = span - END_BYTES;
            while (at >= 0 && tail.getInt(at) != END_SIGNATURE) {
                at--;
            }
            if (at < 0) {
                throw damaged(place, "the zip archive has no end record in its last " + span + " bytes");
            }
            int behind = Math.max(span - END_BYTES - at, tail.getShort(at + 20) & 0xffff);
            if (behind > 0) {
                throw damaged(
                        place,
                        "the zip archive has its end record at byte " + (start + at)
                                + ", and behind it a comment or junk of " + behind + " bytes");
            }
            return start + at;
        }

        private boolean hasLocator(long end) {
            return end >= LOCATOR_BYTES
                    && buffer(source, end - LOCATOR_BYTES, 4).getInt() == END64_LOCATOR_SIGNATURE;
        }

        /// The ZIP64 end record, which other readers follow whenever there is a locator.
        private ByteBuffer end64(long end) {
            ByteBuffer locator = buffer(source, end - LOCATOR_BYTES, LOCATOR_BYTES);
            long offset = locator.getLong(8);
            if (offset != end - LOCATOR_BYTES - END64_BYTES || locator.getInt(4) != 0 || locator.getInt(16) > 1) {
                throw damaged(place, "the ZIP64 locator is damaged");
            }
            ByteBuffer wide = buffer(source, offset, END64_BYTES);
            if (wide.getInt(0) != END64_SIGNATURE || wide.getLong(4) != END64_BYTES - 12) {
                throw damaged(place, "the ZIP64 end record is damaged");
            }
            return wide;
        }

        /// The wide value of a field whose narrow one must be the same, or all ones.
        private long wide(String field, long narrow, long unset, long wide) {
            if (narrow != unset && narrow != wide) {
                throw damaged(
                        place,
                        "the end records disagree on the " + field + ": " + narrow + ", and "
                                + Long.toUnsignedString(wide) + " in ZIP64");
            }
            return wide;
        }

        private SequencedMap<String, ZipRecord> entries(ByteBuffer directory, long count) {
            LinkedHashMap<String, ZipRecord> records = new LinkedHashMap<>();
            int at = 0;
            for (long i = 0; i < count; i++) {
                if ((i & 0xffff) == 0xffff) {
                    Job.checkCurrent();
                }
                if (directory.limit() - at < CENTRAL_BYTES || directory.getInt(at) != CENTRAL_SIGNATURE) {
                    throw damaged(place, "entry " + i + " of the zip directory is damaged");
                }
                int nameBytes = directory.getShort(at + 28) & 0xffff;
                int extraBytes = directory.getShort(at + 30) & 0xffff;
                int commentBytes = directory.getShort(at + 32) & 0xffff;
                int next = at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes;
                if (next > directory.limit()) {
                    throw damaged(place, "entry " + i + " of the zip directory leaves it");
                }
                ZipRecord record = entry(directory, at, nameBytes, extraBytes);
                if (records.put(record.name(), record) != null) {
                    throw damaged(place, "two entries are named " + record.name() + "; torch would take the later one");
                }
                at = next;
            }
            if (at != directory.limit()) {
                throw damaged(place, "the zip directory holds more than the " + count + " entries it counts");
            }
            checkExtents();
            long inflated = 0;
            for (ZipRecord record : records.values()) {
                inflated += record.deflated() ? record.byteCount() : 0;
                long sum = inflated;
                Limit.INFLATED_BYTES.check(
                        sum,
                        Code.K2104,
                        () -> place + ": entries up to " + record.name() + " are deflated and hold " + sum + " bytes");
            }
            return Collections.unmodifiableSequencedMap(records);
        }

        private ZipRecord entry(ByteBuffer directory, int at, int nameBytes, int extraBytes) {
            byte[] rawName = new byte[nameBytes];
            directory.get(at + CENTRAL_BYTES, rawName);
            String name = new String(rawName, StandardCharsets.UTF_8);
            int flags = directory.getShort(at + 8);
            int method = directory.getShort(at + 10) & 0xffff;
            if ((flags & REFUSED_FLAGS) != 0 || (method != 0 && method != 8)) {
                throw new Fault(
                        Code.K2104,
                        place + ": entry " + name + " is encrypted, a patch, or compressed by method " + method,
                        "torch writes stored entries; deflated ones are read too",
                        "save the checkpoint again with torch.save");
            }
            long[] wide = wideFields(directory, at, at + CENTRAL_BYTES + nameBytes, extraBytes, name);
            long stored = wide[1];
            long dataOffset = dataOffset(wide, method, rawName, name);
            if (stored < 0 || wide[0] < 0) {
                throw damaged(
                        place,
                        "entry " + name + " holds " + Long.toUnsignedString(stored) + " bytes of "
                                + Long.toUnsignedString(wide[0]) + ", more than any file");
            }
            if (dataOffset > directoryOffset - stored) {
                throw damaged(
                        place,
                        "entry " + name + " holds " + stored + " bytes from byte " + dataOffset
                                + ", the directory begins at " + directoryOffset + " of " + source.byteCount());
            }
            if (method == 8 && wide[0] / MAX_DEFLATE_RATIO > stored) {
                throw damaged(place, "entry " + name + " claims to inflate " + stored + " bytes to " + wide[0]);
            }
            if (method == 0 && stored != wide[0]) {
                throw damaged(place, "entry " + name + " is stored, yet has two sizes: " + stored + ", " + wide[0]);
            }
            extents.add(new Extent(name, wide[2], dataOffset + stored));
            return new ZipRecord(name, method == 8, directory.getInt(at + 16) & UINT32, stored, wide[0], dataOffset);
        }

        /// Size, compressed size and offset of the local header, from the ZIP64 extra field where they do not
        /// fit.
        private long[] wideFields(ByteBuffer directory, int at, int extraAt, int extraBytes, String name) {
            long[] fields = {
                directory.getInt(at + 24) & UINT32,
                directory.getInt(at + 20) & UINT32,
                directory.getInt(at + 42) & UINT32
            };
            int end = extraAt + extraBytes;
            int position = extraAt;
            while (position + 4 <= end) {
                int id = directory.getShort(position) & 0xffff;
                int length = directory.getShort(position + 2) & 0xffff;
                int from = position + 4;
                if (from + length > end) {
                    break;
                }
                if (id == 1) {
                    int fieldAt = from;
                    for (int field = 0; field < fields.length; field++) {
                        if (fields[field] == UINT32 && fieldAt + 8 <= from + length) {
                            fields[field] = directory.getLong(fieldAt);
                            fieldAt += 8;
                        }
                    }
                }
                position = from + length;
            }
            if (fields[2] < 0) {
                throw damaged(
                        place,
                        "entry " + name + " lies at byte " + Long.toUnsignedString(fields[2]) + ", outside the file");
            }
            return fields;
        }

        private long dataOffset(long[] wide, int method, byte[] rawName, String name) {
            long localOffset = wide[2];
            if (localOffset > source.byteCount() - LOCAL_BYTES) {
                throw damaged(place, "entry " + name + " lies at byte " + localOffset + " of " + source.byteCount());
            }
            ByteBuffer local = buffer(source, localOffset, LOCAL_BYTES);
            int nameBytes = local.getShort(26) & 0xffff;
            int extraBytes = local.getShort(28) & 0xffff;
            if (local.getInt(0) != LOCAL_SIGNATURE
                    || nameBytes != rawName.length
                    || localOffset + LOCAL_BYTES + nameBytes > source.byteCount()
                    || !Arrays.equals(source.bytes(localOffset + LOCAL_BYTES, nameBytes), rawName)) {
                throw damaged(place, "the local header of entry " + name + " does not match the directory");
            }
            agree(name, "method", local.getShort(8) & 0xffff, method, method);
            agree(name, "way of encryption", local.getShort(6) & REFUSED_FLAGS, 0, 0);
            agree(name, "stored size", local.getInt(18) & UINT32, wide[1], 0);
            agree(name, "size", local.getInt(22) & UINT32, wide[0], 0);
            return localOffset + LOCAL_BYTES + nameBytes + extraBytes;
        }

        /// A size in a local header may be left to the directory (0, or all ones), but not be another.
        private void agree(String name, String field, long local, long central, long unset) {
            if (local != unset && local != UINT32 && local != central) {
                throw damaged(
                        place,
                        "the local header of entry " + name + " says another " + field + " than the directory: " + local
                                + ", not " + Long.toUnsignedString(central));
            }
        }

        private void checkExtents() {
            List<Extent> sorted = new ArrayList<>(extents);
            sorted.sort(Comparator.comparingLong(Extent::begin));
            for (int i = 0; i < sorted.size(); i++) {
                Extent entry = sorted.get(i);
                if (i == 0 && entry.begin() > 0) {
                    throw damaged(place, entry.begin() + " bytes lie before the first entry, " + entry.name());
                }
                if (i > 0 && sorted.get(i - 1).end() > entry.begin()) {
                    throw damaged(place, "entries " + sorted.get(i - 1).name() + " and " + entry.name() + " overlap");
                }
            }
        }
    }
}
