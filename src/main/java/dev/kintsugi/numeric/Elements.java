package dev.kintsugi.numeric;

import dev.kintsugi.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Decodes and encodes blocks of elements.
///
/// **Shape.** A block is dense: element `i` lies at byte `i * dtype.byteWidth()` of the segment.
/// **Numbers.** Decoding to `double` is exact but for 64-bit integers beyond 2^53. Encoding rounds once to
/// nearest, ties to even; overflow gives infinity (NaN where the dtype has none), NaN stays NaN, integers
/// saturate.
/// **Errors.** [IndexOutOfBoundsException] if the segment or the array is too small.
public final class Elements {
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Elements() {}

    /// Decodes `count` elements of `dtype` from the start of `source` into `target[0..count)`.
    public static void toDoubles(DType dtype, MemorySegment source, double[] target, int count) {
        switch (dtype) {
            case F64 -> MemorySegment.copy(source, DOUBLE, 0, target, 0, count);
            case U64 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = unsignedToDouble(source.get(LONG, 8L * i));
                }
            }
            case I64 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(LONG, 8L * i);
                }
            }
            case U32 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = Integer.toUnsignedLong(source.get(INT, 4L * i));
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(INT, 4L * i);
                }
            }
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(FLOAT, 4L * i);
                }
            }
            case BF16 -> {
                if (inLanes(count)) {
                    Lanes.ofThread().fromBFloat16(source, target, count);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    target[i] = Float.intBitsToFloat(source.get(SHORT, 2L * i) << 16);
                }
            }
            case F16 -> {
                if (inLanes(count)) {
                    Lanes.ofThread().fromFloat16(source, target, count);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    target[i] = Float.float16ToFloat(source.get(SHORT, 2L * i));
                }
            }
            default -> {
                float[] floats = new float[count];
                toFloats(dtype, source, floats, count);
                for (int i = 0; i < count; i++) {
                    target[i] = floats[i];
                }
            }
        }
    }

    /// Decodes `count` elements of `dtype` from the start of `source` into `target[0..count)`, rounding where a
    /// `float` cannot hold the value.
    public static void toFloats(DType dtype, MemorySegment source, float[] target, int count) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(source, FLOAT, 0, target, 0, count);
            case BF16 -> {
                if (inLanes(count)) {
                    Lanes.ofThread().fromBFloat16(source, target, count);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    target[i] = Float.intBitsToFloat(source.get(SHORT, 2L * i) << 16);
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = Float.float16ToFloat(source.get(SHORT, 2L * i));
                }
            }
            case F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E4M3, F8_E5M2, F8_E8M0 -> {
                float[] table = SmallFloats.table(dtype);
                for (int i = 0; i < count; i++) {
                    target[i] = table[source.get(ValueLayout.JAVA_BYTE, i) & 0xff];
                }
            }
            case U16 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = Short.toUnsignedInt(source.get(SHORT, 2L * i));
                }
            }
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(SHORT, 2L * i);
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(ValueLayout.JAVA_BYTE, i);
                }
            }
            case U8 -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(ValueLayout.JAVA_BYTE, i) & 0xff;
                }
            }
            case BOOL -> {
                for (int i = 0; i < count; i++) {
                    target[i] = source.get(ValueLayout.JAVA_BYTE, i) == 0 ? 0f : 1f;
                }
            }
            case F64, U64, I64, U32, I32 -> {
                double[] doubles = new double[count];
                toDoubles(dtype, source, doubles, count);
                for (int i = 0; i < count; i++) {
                    target[i] = (float) doubles[i];
                }
            }
            case C64 -> throw new IllegalArgumentException("a complex number is no float");
        }
    }

    /// Encodes `source[0..count)` as `dtype` at the start of `target`.
    public static void fromFloats(DType dtype, float[] source, MemorySegment target, int count) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(source, 0, target, FLOAT, 0, count);
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, SmallFloats.toBFloat16(source[i]));
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, Float.floatToFloat16(source[i]));
                }
            }
            default -> {
                double[] doubles = new double[count];
                for (int i = 0; i < count; i++) {
                    doubles[i] = source[i];
                }
                fromDoubles(dtype, doubles, target, count);
            }
        }
    }

    /// Encodes `source[0..count)` as `dtype` at the start of `target`, rounding once.
    public static void fromDoubles(DType dtype, double[] source, MemorySegment target, int count) {
        switch (dtype) {
            case F64 -> MemorySegment.copy(source, 0, target, DOUBLE, 0, count);
            case F32 -> {
                for (int i = 0; i < count; i++) {
                    target.set(FLOAT, 4L * i, (float) source[i]);
                }
            }
            case BF16 -> {
                if (inLanes(count)) {
                    Lanes.ofThread().toBFloat16(source, target, count);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, SmallFloats.toBFloat16(SmallFloats.toFloatOdd(source[i])));
                }
            }
            case F16 -> {
                if (inLanes(count)) {
                    Lanes.ofThread().toFloat16(source, target, count);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, Float.floatToFloat16(SmallFloats.toFloatOdd(source[i])));
                }
            }
            case F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E4M3, F8_E5M2, F8_E8M0 -> {
                for (int i = 0; i < count; i++) {
                    target.set(ValueLayout.JAVA_BYTE, i, SmallFloats.toFloat8(dtype, source[i]));
                }
            }
            case U64 -> {
                for (int i = 0; i < count; i++) {
                    target.set(LONG, 8L * i, doubleToUnsigned(source[i]));
                }
            }
            case I64 -> {
                for (int i = 0; i < count; i++) {
                    target.set(LONG, 8L * i, (long) Math.rint(source[i]));
                }
            }
            case U32 -> {
                for (int i = 0; i < count; i++) {
                    target.set(INT, 4L * i, (int) clamp(source[i], 0, 0xffffffffL));
                }
            }
            case I32 -> {
                for (int i = 0; i < count; i++) {
                    target.set(INT, 4L * i, (int) clamp(source[i], Integer.MIN_VALUE, Integer.MAX_VALUE));
                }
            }
            case U16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, (short) clamp(source[i], 0, 0xffff));
                }
            }
            case I16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(SHORT, 2L * i, (short) clamp(source[i], Short.MIN_VALUE, Short.MAX_VALUE));
                }
            }
            case I8 -> {
                for (int i = 0; i < count; i++) {
                    target.set(ValueLayout.JAVA_BYTE, i, (byte) clamp(source[i], Byte.MIN_VALUE, Byte.MAX_VALUE));
                }
            }
            case U8 -> {
                for (int i = 0; i < count; i++) {
                    target.set(ValueLayout.JAVA_BYTE, i, (byte) clamp(source[i], 0, 0xff));
                }
            }
            case BOOL -> {
                for (int i = 0; i < count; i++) {
                    target.set(ValueLayout.JAVA_BYTE, i, (byte) (source[i] == 0 ? 0 : 1));
                }
            }
            case C64 -> throw new IllegalArgumentException("a complex number is no float");
        }
    }

    private static boolean inLanes(int count) {
        return Lanes.USABLE && count >= Lanes.WORTHWHILE;
    }

    private static long clamp(double value, long low, long high) {
        return Math.clamp((long) Math.rint(value), low, high);
    }

    private static double unsignedToDouble(long bits) {
        return bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2.0;
    }

    private static long doubleToUnsigned(double value) {
        double rounded = Math.rint(value);
        if (!(rounded > 0)) {
            return 0;
        }
        if (rounded >= 0x1p64) {
            return -1L;
        }
        return rounded < 0x1p63 ? (long) rounded : (long) (rounded - 0x1p63) + Long.MIN_VALUE;
    }
}
