package dev.kintsugi;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/// Zip archives with every field in the test's hands, for tests that need ones no program writes.
public final class ZipBytes {
    /// One entry; change what the test is about, then [#add].
    public static final class Entry {
        public byte[] name;
        public byte[] localName;
        public byte[] data;
        public int flags;
        public int method;
        public int localMethod;
        public long crc;
        public long size;
        public long localSize;
        public long compressed;
        public long offset = -1;
        public byte[] extra = new byte[0];

        private Entry(String name, byte[] data, long size) {
            this.name = name.getBytes(StandardCharsets.UTF_8);
            this.localName = this.name;
            this.data = data;
            this.size = size;
            this.localSize = size;
            this.compressed = data.length;
        }
    }

    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private final List<Entry> entries = new ArrayList<>();

    /// A stored entry of `data`.
    public static Entry stored(String name, byte[] data) {
        Entry entry = new Entry(name, data, data.length);
        entry.crc = crc(data);
        return entry;
    }

    /// A deflated entry of `data`.
    public static Entry deflated(String name, byte[] data) {
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(data);
        deflater.finish();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] block = new byte[1 << 16];
        while (!deflater.finished()) {
            out.write(block, 0, deflater.deflate(block));
        }
        deflater.end();
        Entry entry = new Entry(name, out.toByteArray(), data.length);
        entry.crc = crc(data);
        entry.method = 8;
        entry.localMethod = 8;
        return entry;
    }

    private static long crc(byte[] data) {
        CRC32 crc = new CRC32();
        crc.update(data);
        return crc.getValue();
    }

    /// Writes the local header and the data; the directory keeps what the entry says then.
    public ZipBytes add(Entry entry) {
        if (entry.offset < 0) {
            entry.offset = body.size();
        }
        body.writeBytes(little(30)
                .putInt(0x04034b50)
                .putShort((short) 20)
                .putShort((short) entry.flags)
                .putShort((short) entry.localMethod)
                .putInt(0)
                .putInt((int) entry.crc)
                .putInt((int) entry.data.length)
                .putInt((int) entry.localSize)
                .putShort((short) entry.localName.length)
                .putShort((short) 0)
                .array());
        body.writeBytes(entry.localName);
        body.writeBytes(entry.data);
        entries.add(entry);
        return this;
    }

    /// Lists an entry in the directory without writing it.
    public ZipBytes list(Entry entry) {
        entries.add(entry);
        return this;
    }

    public ZipBytes raw(byte[] bytes) {
        body.writeBytes(bytes);
        return this;
    }

    public int size() {
        return body.size();
    }

    public byte[] end() {
        return end(new byte[0], entries.size());
    }

    /// The archive, with a comment and a count of entries that may lie.
    public byte[] end(byte[] comment, int count) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(body.toByteArray());
        int start = all.size();
        for (Entry entry : entries) {
            all.writeBytes(little(46)
                    .putInt(0x02014b50)
                    .putShort((short) 20)
                    .putShort((short) 20)
                    .putShort((short) entry.flags)
                    .putShort((short) entry.method)
                    .putInt(0)
                    .putInt((int) entry.crc)
                    .putInt((int) entry.compressed)
                    .putInt((int) entry.size)
                    .putShort((short) entry.name.length)
                    .putShort((short) entry.extra.length)
                    .putShort((short) 0)
                    .putShort((short) 0)
                    .putShort((short) 0)
                    .putInt(0)
                    .putInt((int) entry.offset)
                    .array());
            all.writeBytes(entry.name);
            all.writeBytes(entry.extra);
        }
        int length = all.size() - start;
        all.writeBytes(little(22)
                .putInt(0x06054b50)
                .putInt(0)
                .putShort((short) count)
                .putShort((short) count)
                .putInt(length)
                .putInt(start)
                .putShort((short) comment.length)
                .array());
        all.writeBytes(comment);
        return all.toByteArray();
    }

    public static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// A file of `torch.save`: `pickle`, and storages of F32 by key.
    public static byte[] torch(byte[] pickle, Object... keysAndData) {
        ZipBytes zip = new ZipBytes().add(stored("archive/data.pkl", pickle));
        for (int i = 0; i < keysAndData.length; i += 2) {
            zip.add(stored("archive/data/" + keysAndData[i], (byte[]) keysAndData[i + 1]));
        }
        return zip.end();
    }
}
