package dev.kintsugi.fuzz;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/// Changes inputs as bit rot, tools and strangers do.
final class Mutations {
    private static final long[] NUMBERS = {
        0,
        1,
        -1,
        2,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fffffffL,
        0x80000000L,
        0xffffffffL,
        1L << 32,
        1L << 53,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        100_000_001
    };

    private final List<byte[]> seeds;
    private final List<byte[]> kept;
    private final List<byte[]> words;
    private final Random random;

    Mutations(Target target, Random random) {
        this.seeds = target.seeds();
        this.kept = target.kept().isEmpty() ? seeds : target.kept();
        this.words = target.words();
        this.random = random;
    }

    /// A seed or a kept input with one to eight changes.
    byte[] next() {
        List<byte[]> from = random.nextBoolean() ? seeds : kept;
        byte[] bytes = from.get(random.nextInt(from.size())).clone();
        for (int changes = 1 + random.nextInt(8); changes > 0; changes--) {
            bytes = change(bytes);
        }
        return bytes;
    }

    private byte[] change(byte[] bytes) {
        int at = place(bytes);
        return switch (random.nextInt(9)) {
            case 0 -> with(bytes, at, (byte) random.nextInt(256));
            case 1 -> at < bytes.length ? with(bytes, at, (byte) (bytes[at] ^ 1 << random.nextInt(8))) : bytes;
            case 2 -> number(bytes, at);
            case 3 -> cut(bytes, at, at + 1 + random.nextInt(1 << random.nextInt(10)));
            case 4 -> Arrays.copyOf(bytes, at);
            case 5 -> insert(bytes, at, piece(seeds.get(random.nextInt(seeds.size()))));
            case 6 -> insert(bytes, at, piece(bytes));
            case 7 -> words.isEmpty() ? bytes : insert(bytes, at, words.get(random.nextInt(words.size())));
            default -> words.isEmpty() ? bytes : overwrite(bytes, at, words.get(random.nextInt(words.size())));
        };
    }

    /// Anywhere, or near the end, where directories and trailers are.
    private int place(byte[] bytes) {
        int at = random.nextInt(bytes.length + 1);
        return random.nextInt(4) == 0 ? Math.max(0, bytes.length - random.nextInt(200)) : at;
    }

    private static byte[] with(byte[] bytes, int at, byte value) {
        if (at < bytes.length) {
            bytes[at] = value;
        }
        return bytes;
    }

    private byte[] number(byte[] bytes, int at) {
        ByteOrder order = random.nextBoolean() ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        long value = NUMBERS[random.nextInt(NUMBERS.length)];
        ByteBuffer number = ByteBuffer.allocate(8).order(order);
        int width = 1 << random.nextInt(4);
        switch (width) {
            case 1 -> number.put((byte) value);
            case 2 -> number.putShort((short) value);
            case 4 -> number.putInt((int) value);
            default -> number.putLong(value);
        }
        return overwrite(bytes, at, Arrays.copyOf(number.array(), width));
    }

    private static byte[] overwrite(byte[] bytes, int at, byte[] more) {
        System.arraycopy(more, 0, bytes, at, Math.min(more.length, bytes.length - at));
        return bytes;
    }

    private byte[] piece(byte[] bytes) {
        int from = random.nextInt(bytes.length + 1);
        return Arrays.copyOfRange(bytes, from, Math.min(bytes.length, from + random.nextInt(1 << random.nextInt(9))));
    }

    private static byte[] insert(byte[] bytes, int at, byte[] more) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length + more.length);
        out.write(bytes, 0, at);
        out.writeBytes(more);
        out.write(bytes, at, bytes.length - at);
        return out.toByteArray();
    }

    private static byte[] cut(byte[] bytes, int from, int to) {
        byte[] rest = Arrays.copyOfRange(bytes, Math.min(to, bytes.length), bytes.length);
        return insert(Arrays.copyOf(bytes, from), from, rest);
    }
}
