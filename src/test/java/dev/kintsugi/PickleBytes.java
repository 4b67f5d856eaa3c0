package dev.kintsugi;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Pickles put together opcode by opcode, for tests that need ones no pickler writes.
public final class PickleBytes {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    private PickleBytes() {}

    /// An empty pickle; nothing stands before what is added.
    public static PickleBytes start() {
        return new PickleBytes();
    }

    /// Protocol 2.
    public static PickleBytes proto2() {
        return new PickleBytes().op(0x80, 2);
    }

    /// Single bytes: opcodes and their one-byte arguments; characters stand for themselves.
    public PickleBytes op(int... codes) {
        for (int code : codes) {
            bytes.write(code);
        }
        return this;
    }

    /// ASCII as it stands.
    public PickleBytes ascii(String text) {
        bytes.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
        return this;
    }

    public PickleBytes raw(byte[] more) {
        bytes.writeBytes(more);
        return this;
    }

    /// `BINUNICODE`.
    public PickleBytes text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return op('X').int32(utf8.length).raw(utf8);
    }

    /// `GLOBAL`.
    public PickleBytes global(String module, String name) {
        return ascii("c" + module + "\n" + name + "\n");
    }

    /// `BININT`.
    public PickleBytes number(int value) {
        return op('J').int32(value);
    }

    /// `LONG1` of eight bytes.
    public PickleBytes wide(long value) {
        return op(0x8a, 8).int64(value);
    }

    public PickleBytes int32(int value) {
        return raw(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    public PickleBytes int64(long value) {
        return raw(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }

    /// A call with one text: `module.name("argument")`.
    public PickleBytes call(String module, String name, String argument) {
        return global(module, name).text(argument).op(0x85, 'R');
    }

    /// A persistent id of `count` elements of `type` in record `key`.
    public PickleBytes storage(String type, String key, long count) {
        return op('(').text("storage")
                .global("torch", type)
                .text(key)
                .text("cpu")
                .wide(count)
                .op('t', 'Q');
    }

    /// `_rebuild_tensor_v2` over the F32 storage `key` of `count` elements.
    public PickleBytes tensor(String key, long count, long first, long[] shape, long[] strides) {
        global("torch._utils", "_rebuild_tensor_v2").op('(').storage("FloatStorage", key, count);
        return wide(first).numbers(shape).numbers(strides).op(0x89).emptyHooks().op('t', 'R');
    }

    /// A dense one of one dim that is all of its storage.
    public PickleBytes vector(String key, long count) {
        return tensor(key, count, 0, new long[] {count}, new long[] {1});
    }

    public PickleBytes emptyHooks() {
        return global("collections", "OrderedDict").op(')', 'R');
    }

    /// A tuple of whole numbers.
    public PickleBytes numbers(long... values) {
        op('(');
        for (long value : values) {
            wide(value);
        }
        return op('t');
    }

    /// The pickle with its `STOP`.
    public byte[] stop() {
        return op('.').bytes.toByteArray();
    }

    /// The bytes so far.
    public byte[] cut() {
        return bytes.toByteArray();
    }
}
