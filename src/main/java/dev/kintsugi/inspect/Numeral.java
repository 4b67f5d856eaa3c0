package dev.kintsugi.inspect;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// One element as text from which it can be read back exactly: integers in full, floats with as few digits as
/// tell them from their neighbours in F32 (F64 for F64), `nan`, `inf`, `True`.
final class Numeral {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Numeral() {}

    /// The element of `dtype` at the start of `bytes`.
    static String of(DType dtype, MemorySegment bytes) {
        return switch (dtype) {
            case U64 -> Long.toUnsignedString(bytes.get(LONG, 0));
            case I64 -> Long.toString(bytes.get(LONG, 0));
            case BOOL -> bytes.get(ValueLayout.JAVA_BYTE, 0) == 0 ? "False" : "True";
            case U32, I32, U16, I16, I8, U8 -> Long.toString((long) decode(dtype, bytes));
            case F64 -> pythonic(Double.toString(decode(dtype, bytes)));
            case F32, BF16, F16, F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E8M0, F8_E4M3, F8_E5M2 -> single(dtype, bytes);
            case C64 -> complex(single(DType.F32, bytes), single(DType.F32, bytes.asSlice(4)));
        };
    }

    private static double decode(DType dtype, MemorySegment bytes) {
        double[] value = new double[1];
        Elements.toDoubles(dtype, bytes, value, 1);
        return value[0];
    }

    private static String single(DType dtype, MemorySegment bytes) {
        return pythonic(Float.toString((float) decode(dtype, bytes)));
    }

    private static String complex(String real, String imaginary) {
        return real + (imaginary.startsWith("-") ? "" : "+") + imaginary + "j";
    }

    /// `1.0E-5` becomes `1e-05`, `1.25E10` becomes `1.25e+10`, `NaN` becomes `nan`.
    private static String pythonic(String java) {
        switch (java) {
            case "NaN" -> {
                return "nan";
            }
            case "Infinity" -> {
                return "inf";
            }
            case "-Infinity" -> {
                return "-inf";
            }
            default -> {
                // a number
            }
        }
        int at = java.indexOf('E');
        if (at < 0) {
            return java;
        }
        String mantissa = java.substring(0, at);
        if (mantissa.endsWith(".0")) {
            mantissa = mantissa.substring(0, mantissa.length() - 2);
        }
        int exponent = Integer.parseInt(java.substring(at + 1));
        String digits = Integer.toString(Math.abs(exponent));
        return mantissa + "e" + (exponent < 0 ? "-" : "+") + (digits.length() < 2 ? "0" + digits : digits);
    }
}
