package dev.kintsugi.numeric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Rounding doubles to 16 bits against a search among all 65,536 patterns.
class RoundingTest {
    private static double[] all(DType dtype) {
        byte[] bytes = new byte[2 * 0x8000];
        for (int pattern = 0; pattern < 0x8000; pattern++) {
            bytes[2 * pattern] = (byte) pattern;
            bytes[2 * pattern + 1] = (byte) (pattern >> 8);
        }
        double[] values = new double[0x8000];
        Elements.toDoubles(dtype, MemorySegment.ofArray(bytes), values, values.length);
        return values;
    }

    /// The pattern of the value nearest to `magnitude`, ties to even; `infinity` counts as the number after
    /// the last.
    private static int nearest(double[] all, int infinity, double magnitude) {
        int low = 0;
        int high = infinity;
        while (low + 1 < high) {
            int middle = (low + high) >>> 1;
            if (all[middle] <= magnitude) {
                low = middle;
            } else {
                high = middle;
            }
        }
        double above = high == infinity ? 2 * all[low] - all[low - 1] : all[high];
        double half = all[low] + (above - all[low]) / 2;
        return magnitude > half || (magnitude == half && (low & 1) == 1) ? high : low;
    }

    @DisplayName("R-13 values are rounded once, to the nearest even, ties, subnormals, NaN and overflow included")
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void doublesRoundOnceToNearestEven(DType dtype) {
        double[] all = all(dtype);
        int infinity = dtype == DType.BF16 ? 0x7f80 : 0x7c00;
        long seed = 42;
        Random random = new Random(seed);
        double[] values = new double[400_000];
        for (int i = 0; i < values.length; i++) {
            int pattern = random.nextInt(infinity - 1);
            double between = all[pattern] + (all[pattern + 1] - all[pattern]) * 0.5;
            double value = switch (random.nextInt(4)) {
                case 0 -> between;
                case 1 -> Math.nextUp(between);
                case 2 -> Math.nextDown(between);
                default -> all[pattern] + (all[pattern + 1] - all[pattern]) * random.nextDouble();
            };
            values[i] = random.nextBoolean() ? value : -value;
        }
        double last = all[infinity - 1];
        double step = last - all[infinity - 2];
        double[] edges = {0.0, -0.0, last + step / 2, Math.nextDown(last + step / 2), Double.MAX_VALUE, Double.MIN_VALUE
        };
        System.arraycopy(edges, 0, values, 0, edges.length);
        byte[] bytes = new byte[2 * values.length];
        Elements.fromDoubles(dtype, values, MemorySegment.ofArray(bytes), values.length);
        for (int i = 0; i < values.length; i++) {
            int pattern = (bytes[2 * i] & 0xff) | (bytes[2 * i + 1] & 0xff) << 8;
            int sign = Double.doubleToRawLongBits(values[i]) < 0 ? 0x8000 : 0;
            int expected = sign | nearest(all, infinity, Math.abs(values[i]));
            assertEquals(expected, pattern, "seed " + seed + ": " + values[i]);
        }
    }

    @DisplayName("many elements at once become what each of them becomes alone")
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void manyAtOnceAreAsEachAlone(DType dtype) {
        long seed = 43;
        Random random = new Random(seed);
        for (int count : new int[] {64, 65, 1023, 1024, 1025, 5000}) {
            double[] values = new double[count];
            Arrays.setAll(values, i -> Double.longBitsToDouble(random.nextLong()));
            for (int i = 0; i < count; i += 2) {
                values[i] = random.nextGaussian() * Math.scalb(1.0, random.nextInt(300) - 150);
            }
            if (count % 2 == 0) {
                Arrays.setAll(values, i -> Double.isNaN(values[i]) ? Double.POSITIVE_INFINITY : values[i]);
            }
            byte[] together = new byte[2 * count];
            Elements.fromDoubles(dtype, values, MemorySegment.ofArray(together), count);
            byte[] alone = new byte[2 * count];
            for (int i = 0; i < count; i++) {
                MemorySegment place = MemorySegment.ofArray(alone).asSlice(2L * i, 2);
                Elements.fromDoubles(dtype, new double[] {values[i]}, place, 1);
            }
            assertArrayEquals(alone, together, "seed " + seed + ", count " + count);
        }
    }

    @DisplayName("every pattern of 16 bits is decoded as it is alone")
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void everyPatternIsDecodedAsAlone(DType dtype) {
        byte[] bytes = new byte[2 * 0x10000];
        for (int pattern = 0; pattern < 0x10000; pattern++) {
            bytes[2 * pattern] = (byte) pattern;
            bytes[2 * pattern + 1] = (byte) (pattern >> 8);
        }
        MemorySegment source = MemorySegment.ofArray(bytes);
        double[] doubles = new double[0x10000];
        float[] floats = new float[0x10000];
        Elements.toDoubles(dtype, source, doubles, doubles.length);
        Elements.toFloats(dtype, source, floats, floats.length);
        double[] oneDouble = new double[1];
        float[] oneFloat = new float[1];
        for (int pattern = 0; pattern < 0x10000; pattern++) {
            Elements.toDoubles(dtype, source.asSlice(2L * pattern, 2), oneDouble, 1);
            Elements.toFloats(dtype, source.asSlice(2L * pattern, 2), oneFloat, 1);
            assertEquals(
                    Double.doubleToRawLongBits(oneDouble[0]),
                    Double.doubleToRawLongBits(doubles[pattern]),
                    "pattern " + pattern);
            assertEquals(
                    Float.floatToRawIntBits(oneFloat[0]),
                    Float.floatToRawIntBits(floats[pattern]),
                    "pattern " + pattern);
        }
    }
}
