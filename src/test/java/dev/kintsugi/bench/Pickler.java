package dev.kintsugi.bench;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// Emits a pickle of protocol 2, opcode by opcode.
final class Pickler {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Pickler() {
        op(0x80).op(2);
    }

    Pickler op(int code) {
        bytes.write(code);
        return this;
    }

    Pickler global(String module, String name) {
        op('c');
        bytes.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
        return this;
    }

    Pickler text(String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        op('X').int32(utf8.length);
        bytes.writeBytes(utf8);
        return this;
    }

    Pickler number(long value) {
        if (value >= 0 && value < 256) {
            return op('K').op((int) value);
        }
        if (value == (int) value) {
            return op('J').int32((int) value);
        }
        op(0x8a).op(8);
        for (int i = 0; i < 8; i++) {
            op((int) (value >>> (8 * i)) & 0xff);
        }
        return this;
    }

    private Pickler int32(int value) {
        return op(value & 0xff).op(value >>> 8 & 0xff).op(value >>> 16 & 0xff).op(value >>> 24);
    }

    Pickler mark() {
        return op('(');
    }

    Pickler tuple() {
        return op('t');
    }

    Pickler tuple(long... values) {
        mark();
        for (long value : values) {
            number(value);
        }
        return tuple();
    }

    Pickler reduce() {
        return op('R');
    }

    /// An object of the class on the stack with the dict that follows as its state: `NEWOBJ`, then `BUILD`
    /// later.
    Pickler newObject() {
        return op(')').op(0x81);
    }

    byte[] finish() {
        op('.');
        return bytes.toByteArray();
    }
}
