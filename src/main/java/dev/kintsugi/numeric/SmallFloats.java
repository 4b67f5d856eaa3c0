package dev.kintsugi.numeric;

import dev.kintsugi.tensor.DType;

/// Floats of 16 and 8 bits.
///
/// **Source.** BF16: the upper half of an F32. `F8_E4M3` (no infinity, `0x7f` is NaN) and `F8_E5M2` (IEEE-like):
/// OCP 8-bit Floating Point Specification 1.0. The same as FNUZ ("finite, no negative zero") of AMD, with a bias of one
/// more and one NaN, `0x80`: Noune et al. 2022, `c10/util/Float8_e4m3fnuz.h`. `F8_E8M0`: OCP Microscaling Formats 1.0,
/// a power of two.
final class SmallFloats {
    private static final float[] E4M3 = decodeAll(4, 3, 7, DType.F8_E4M3);
    private static final float[] E5M2 = decodeAll(5, 2, 15, DType.F8_E5M2);
    private static final float[] E4M3FNUZ = decodeAll(4, 3, 8, DType.F8_E4M3FNUZ);
    private static final float[] E5M2FNUZ = decodeAll(5, 2, 16, DType.F8_E5M2FNUZ);
    private static final float[] E8M0 = decodeE8M0();

    private static final int FNUZ_NAN = 0x80;

    private static final long LEAST_NORMAL_FLOAT = (1023L - 126) << 52;
    private static final long BEYOND_FLOAT = (1023L + 128) << 52;
    private static final long REBIAS = (1023L - 127) << 52;

    private SmallFloats() {}

    /// The value of each of the 256 bit patterns.
    static float[] table(DType dtype) {
        return switch (dtype) {
            case F8_E4M3 -> E4M3;
            case F8_E5M2 -> E5M2;
            case F8_E4M3FNUZ -> E4M3FNUZ;
            case F8_E5M2FNUZ -> E5M2FNUZ;
            case F8_E8M0 -> E8M0;
            default -> throw new IllegalArgumentException(dtype + " is no 8-bit float");
        };
    }

    /// Rounds to nearest even. A NaN keeps its sign and becomes quiet, as `at::BFloat16` makes it.
    static short toBFloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if ((bits & 0x7fffffff) > 0x7f800000) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }

    /// The float next to `value` with its last bit set wherever something was cut off ("round to odd"), so that
    /// rounding it again to 16 bits gives what rounding `value` once would give.
    static float toFloatOdd(double value) {
        long bits = Double.doubleToRawLongBits(value);
        long magnitude = bits & Long.MAX_VALUE;
        if (magnitude >= LEAST_NORMAL_FLOAT && magnitude < BEYOND_FLOAT) {
            int sticky = (int) (((magnitude & 0x1fffffff) + 0x1fffffff) >>> 29);
            int cut = (int) ((magnitude - REBIAS) >>> 29);
            return Float.intBitsToFloat((int) (bits >>> 32) & 0x80000000 | cut | sticky);
        }
        float nearest = (float) value;
        if (nearest == value || Double.isNaN(value)) {
            return nearest;
        }
        float toZero = nearest;
        if (Math.abs((double) nearest) > Math.abs(value)) {
            toZero = Float.intBitsToFloat(Float.floatToRawIntBits(nearest) - 1);
        }
        return Float.intBitsToFloat(Float.floatToRawIntBits(toZero) | 1);
    }

    /// The pattern nearest to `value`, ties to the even pattern; NaN where the dtype cannot hold it.
    static byte toFloat8(DType dtype, double value) {
        float[] table = table(dtype);
        if (dtype == DType.F8_E8M0) {
            return toE8M0(value);
        }
        boolean fnuz = isFnuz(dtype);
        int sign = (Double.doubleToRawLongBits(value) < 0) ? 0x80 : 0;
        int last = fnuz ? 0x7f : dtype == DType.F8_E4M3 ? 0x7e : 0x7b;
        int beyond = fnuz ? FNUZ_NAN : dtype == DType.F8_E4M3 ? 0x7f : 0x7c;
        double magnitude = Math.abs(value);
        if (Double.isNaN(value)) {
            return (byte) (fnuz ? FNUZ_NAN : sign | 0x7f);
        }
        double step = table[last] - table[last - 1];
        if (magnitude >= table[last] + step / 2 && (magnitude > table[last] + step / 2 || (last & 1) == 1)) {
            return (byte) (sign | beyond);
        }
        int low = 0;
        int high = last;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (table[middle] <= magnitude) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if (low == last) {
            return (byte) (sign | low);
        }
        double below = magnitude - table[low];
        double above = table[low + 1] - magnitude;
        boolean up = above < below || (above == below && (low & 1) == 1);
        int nearest = up ? low + 1 : low;
        return (byte) (fnuz && nearest == 0 ? 0 : sign | nearest);
    }

    /// Whether `dtype` has one zero, one NaN where the negative zero would be, and no infinity.
    private static boolean isFnuz(DType dtype) {
        return dtype == DType.F8_E4M3FNUZ || dtype == DType.F8_E5M2FNUZ;
    }

    private static byte toE8M0(double value) {
        if (Double.isNaN(value) || value < 0) {
            return (byte) 0xff;
        }
        if (value <= 0x1p-127) {
            return 0;
        }
        int exponent = Math.getExponent(value);
        double fraction = value / Math.scalb(1.0, exponent);
        int biased = exponent + 127 + (fraction > 1.5 || (fraction == 1.5 && (exponent & 1) == 0) ? 1 : 0);
        return (byte) Math.min(biased, 0xff);
    }

    private static float[] decodeAll(int exponentBits, int mantissaBits, int bias, DType dtype) {
        float[] table = new float[256];
        for (int pattern = 0; pattern < 256; pattern++) {
            int exponent = (pattern >> mantissaBits) & ((1 << exponentBits) - 1);
            int mantissa = pattern & ((1 << mantissaBits) - 1);
            double fraction = (double) mantissa / (1 << mantissaBits);
            double magnitude =
                    exponent == 0 ? Math.scalb(fraction, 1 - bias) : Math.scalb(1 + fraction, exponent - bias);
            if (dtype == DType.F8_E5M2 && exponent == 31) {
                magnitude = mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
            }
            if (dtype == DType.F8_E4M3 && (pattern & 0x7f) == 0x7f) {
                magnitude = Double.NaN;
            }
            if (isFnuz(dtype) && pattern == FNUZ_NAN) {
                magnitude = Double.NaN;
            }
            table[pattern] = (float) ((pattern & 0x80) == 0 ? magnitude : -magnitude);
        }
        return table;
    }

    private static float[] decodeE8M0() {
        float[] table = new float[256];
        for (int pattern = 0; pattern < 255; pattern++) {
            table[pattern] = (float) Math.scalb(1.0, pattern - 127);
        }
        table[255] = Float.NaN;
        return table;
    }
}
