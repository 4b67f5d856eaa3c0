package dev.kintsugi.numeric;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/// Decodes and encodes 16-bit floats a tile at a time, in steps that the JDK's compiler turns into vector
/// instructions.
///
/// It vectorises no move between the bits of an integer and a float, and no widening of shorts to ints with
/// arithmetic. Bits therefore change their type by a copy from one small array into another, and two BF16
/// elements travel in one `int`, their floats in one `long`.
/// **Threads.** One at a time; [#ofThread()] has one for each.
final class Lanes {
    /// Elements of a tile: its arrays fit into the first cache together.
    private static final int TILE = 1024;

    /// Two floats in a `long` are in the order of the elements where the low half comes first.
    static final boolean USABLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

    /// Below this many elements plain loops are as fast.
    static final int WORTHWHILE = 64;

    private static final int FLOAT_INFINITY = 0x7f800000;
    private static final ThreadLocal<Lanes> OF_THREAD = ThreadLocal.withInitial(Lanes::new);

    private final int[] pairs = new int[TILE / 2];
    private final long[] wide = new long[TILE / 2];
    private final short[] shorts = new short[TILE];
    private final int[] bits = new int[TILE];
    private final int[] directions = new int[TILE];
    private final float[] floats = new float[TILE];

    private final MemorySegment pairBytes = MemorySegment.ofArray(pairs);
    private final MemorySegment wideBytes = MemorySegment.ofArray(wide);
    private final MemorySegment shortBytes = MemorySegment.ofArray(shorts);
    private final MemorySegment bitBytes = MemorySegment.ofArray(bits);
    private final MemorySegment floatBytes = MemorySegment.ofArray(floats);

    private Lanes() {}

    static Lanes ofThread() {
        return OF_THREAD.get();
    }

    void fromBFloat16(MemorySegment source, double[] target, int count) {
        for (int from = 0; from < count; from += TILE) {
            int tile = Math.min(TILE, count - from);
            widenBFloat16(source, from, tile);
            MemorySegment.copy(wideBytes, 0, floatBytes, 0, 4L * tile);
            widen(target, from, tile);
        }
    }

    void fromBFloat16(MemorySegment source, float[] target, int count) {
        MemorySegment targetBytes = MemorySegment.ofArray(target);
        for (int from = 0; from < count; from += TILE) {
            int tile = Math.min(TILE, count - from);
            widenBFloat16(source, from, tile);
            MemorySegment.copy(wideBytes, 0, targetBytes, 4L * from, 4L * tile);
        }
    }

    private void widenBFloat16(MemorySegment source, int from, int tile) {
        MemorySegment.copy(source, 2L * from, pairBytes, 0, 2L * tile);
        for (int i = 0; i < (tile + 1) / 2; i++) {
            long pair = pairs[i];
            wide[i] = pair << 16 & 0xffff0000L | (pair & 0xffff0000L) << 32;
        }
    }

    void fromFloat16(MemorySegment source, double[] target, int count) {
        for (int from = 0; from < count; from += TILE) {
            int tile = Math.min(TILE, count - from);
            MemorySegment.copy(source, 2L * from, shortBytes, 0, 2L * tile);
            for (int i = 0; i < tile; i++) {
                floats[i] = Float.float16ToFloat(shorts[i]);
            }
            widen(target, from, tile);
        }
    }

    private void widen(double[] target, int from, int tile) {
        for (int i = 0; i < tile; i++) {
            target[from + i] = floats[i];
        }
    }

    void toBFloat16(double[] source, MemorySegment target, int count) {
        for (int from = 0; from < count; from += TILE) {
            int tile = Math.min(TILE, count - from);
            narrow(source, from, tile);
            if (roundToOdd(tile) < 0) {
                for (int i = from; i < from + tile; i++) {
                    target.set(Elements.SHORT, 2L * i, SmallFloats.toBFloat16(SmallFloats.toFloatOdd(source[i])));
                }
                continue;
            }
            for (int i = 0; i < tile; i++) {
                bits[i] += 0x7fff + (bits[i] >>> 16 & 1);
            }
            MemorySegment.copy(bitBytes, 0, wideBytes, 0, 4L * tile);
            for (int i = 0; i < (tile + 1) / 2; i++) {
                pairs[i] = (int) (wide[i] >>> 16 & 0xffffL | wide[i] >>> 32 & 0xffff0000L);
            }
            MemorySegment.copy(pairBytes, 0, target, 2L * from, 2L * tile);
        }
    }

    void toFloat16(double[] source, MemorySegment target, int count) {
        for (int from = 0; from < count; from += TILE) {
            int tile = Math.min(TILE, count - from);
            narrow(source, from, tile);
            if (roundToOdd(tile) < 0) {
                for (int i = from; i < from + tile; i++) {
                    target.set(Elements.SHORT, 2L * i, Float.floatToFloat16(SmallFloats.toFloatOdd(source[i])));
                }
                continue;
            }
            MemorySegment.copy(bitBytes, 0, floatBytes, 0, 4L * tile);
            for (int i = 0; i < tile; i++) {
                shorts[i] = Float.floatToFloat16(floats[i]);
            }
            MemorySegment.copy(shortBytes, 0, target, 2L * from, 2L * tile);
        }
    }

    /// Rounds to the nearest floats, and notes for each whether the value lies above it (1), below it (-1) or
    /// on it.
    private void narrow(double[] source, int from, int tile) {
        for (int i = 0; i < tile; i++) {
            floats[i] = (float) source[from + i];
        }
        for (int i = 0; i < tile; i++) {
            directions[i] = (int) Math.signum(source[from + i] - floats[i]);
        }
        MemorySegment.copy(floatBytes, 0, bitBytes, 0, 4L * tile);
    }

    /// Moves the bits of each float that is not the value itself to the odd one of the two around the value,
    /// so that rounding once more is rounding once. Negative if one of them is NaN.
    private int roundToOdd(int tile) {
        int nan = 0;
        for (int i = 0; i < tile; i++) {
            int nearest = bits[i];
            int sign = nearest >> 31;
            int outward = (directions[i] ^ sign) - sign;
            int even = (nearest & 1) - 1;
            nan |= FLOAT_INFINITY - (nearest & Integer.MAX_VALUE);
            bits[i] = nearest + (outward & even);
        }
        return nan;
    }
}
