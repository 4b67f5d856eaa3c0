package dev.kintsugi.diff;

import dev.kintsugi.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// How many neighbours apart two numbers of one floating point dtype are. `-0.0` and `0.0` are the same.
///
/// The bits of a float without the sign, as an integer, count the numbers between it and zero.
final class Ulps {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Ulps() {}

    /// The greatest distance between elements `[first, first + count)` of `a` and `b`, none of which is NaN;
    /// 0 for dtypes that are not floating point. `Long.MAX_VALUE` stands for more.
    static long greatest(DType dtype, MemorySegment a, MemorySegment b, int first, int count) {
        return switch (dtype) {
            case F64 -> ofLongs(a, b, first, count);
            case F32 -> ofInts(a, b, first, count);
            case BF16, F16 -> ofShorts(a, b, first, count);
            case F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E4M3, F8_E5M2 -> ofBytes(a, b, first, count);
            case F8_E8M0 -> ofExponents(a, b, first, count);
            case C64, U64, I64, U32, I32, U16, I16, I8, U8, BOOL -> 0;
        };
    }

    private static long ofLongs(MemorySegment a, MemorySegment b, int first, int count) {
        long greatest = 0;
        for (int i = first; i < first + count; i++) {
            long x = a.get(LONG, 8L * i);
            long y = b.get(LONG, 8L * i);
            long steps = (x < 0 ? -(x & Long.MAX_VALUE) : x) - (y < 0 ? -(y & Long.MAX_VALUE) : y);
            boolean overflow = (x < 0) != (y < 0) && (x & Long.MAX_VALUE) > Long.MAX_VALUE - (y & Long.MAX_VALUE);
            greatest = Math.max(greatest, overflow ? Long.MAX_VALUE : Math.abs(steps));
        }
        return greatest;
    }

    private static long ofInts(MemorySegment a, MemorySegment b, int first, int count) {
        long greatest = 0;
        for (int i = first; i < first + count; i++) {
            int x = a.get(INT, 4L * i);
            int y = b.get(INT, 4L * i);
            long steps = (long) fromZero(x, Integer.MAX_VALUE) - fromZero(y, Integer.MAX_VALUE);
            greatest = Math.max(greatest, Math.abs(steps));
        }
        return greatest;
    }

    private static long ofShorts(MemorySegment a, MemorySegment b, int first, int count) {
        int greatest = 0;
        for (int i = first; i < first + count; i++) {
            int steps = fromZero(a.get(SHORT, 2L * i), 0x7fff) - fromZero(b.get(SHORT, 2L * i), 0x7fff);
            greatest = Math.max(greatest, Math.abs(steps));
        }
        return greatest;
    }

    private static long ofBytes(MemorySegment a, MemorySegment b, int first, int count) {
        int greatest = 0;
        for (int i = first; i < first + count; i++) {
            int steps =
                    fromZero(a.get(ValueLayout.JAVA_BYTE, i), 0x7f) - fromZero(b.get(ValueLayout.JAVA_BYTE, i), 0x7f);
            greatest = Math.max(greatest, Math.abs(steps));
        }
        return greatest;
    }

    private static long ofExponents(MemorySegment a, MemorySegment b, int first, int count) {
        int greatest = 0;
        for (int i = first; i < first + count; i++) {
            int steps = (a.get(ValueLayout.JAVA_BYTE, i) & 0xff) - (b.get(ValueLayout.JAVA_BYTE, i) & 0xff);
            greatest = Math.max(greatest, Math.abs(steps));
        }
        return greatest;
    }

    /// `bits` without their sign, negative if it is set.
    private static int fromZero(int bits, int mask) {
        int sign = bits >> 31;
        return ((bits & mask) ^ sign) - sign;
    }
}
