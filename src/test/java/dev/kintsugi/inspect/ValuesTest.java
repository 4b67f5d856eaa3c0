package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ValuesTest {
    private static MemoryTensor counting(long... dims) {
        Shape shape = Shape.of(dims);
        double[] values =
                LongStream.range(0, shape.elementCount()).asDoubleStream().toArray();
        return MemoryTensor.of(DType.I32, shape, values);
    }

    private static Values show(MemoryTensor tensor, String slice) {
        return Values.show(tensor, TensorSlice.parse(slice), Values.Layout.defaults());
    }

    @Test
    void aMatrixIsLaidOutInAlignedRows() {
        assertEquals("""
            [[ 0,  1,  2],
             [10, 11, 12]]\
            """, show(counting(3, 10), ":2,:3").text());
    }

    @Test
    void aCubeHasABlankLineBetweenItsMatrices() {
        assertEquals("""
            [[[0, 1],
              [2, 3]],

             [[4, 5],
              [6, 7]]]\
            """, show(counting(2, 2, 2), "").text());
    }

    @Test
    void anIndexDropsItsDimAndANegativeStepTurnsItRound() {
        Values values = show(counting(3, 4), "-1,::-2");
        assertEquals("[11,  9]", values.text());
        assertEquals(Shape.of(2), values.shape());
        assertEquals(List.of("11", "9"), values.cells());
        assertEquals("7", show(counting(3, 4), "1,3").text());
    }

    @Test
    void largeTensorsAreElidedInEveryDim() {
        Values values = show(counting(100, 100), "");
        assertTrue(values.elided());
        assertEquals(36, values.cells().size());
        assertEquals("""
            [[   0,    1,    2,  ...,   97,   98,   99],
             [ 100,  101,  102,  ...,  197,  198,  199],
             [ 200,  201,  202,  ...,  297,  298,  299],
             ...,
             [9700, 9701, 9702,  ..., 9797, 9798, 9799],
             [9800, 9801, 9802,  ..., 9897, 9898, 9899],
             [9900, 9901, 9902,  ..., 9997, 9998, 9999]]\
            """, values.text());
    }

    @Test
    void aDimOfTwiceTheEdgeIsShownWhole() {
        Values values = Values.show(counting(6, 7), TensorSlice.all(), new Values.Layout(10, 3, 80));
        assertEquals(36, values.cells().size());
        assertEquals(6, values.text().lines().count());
        assertFalse(values.text().contains("[...]"));
    }

    @Test
    void longRowsAreBroken() {
        Values values = Values.show(counting(2, 7), TensorSlice.all(), new Values.Layout(1000, 3, 14));
        assertEquals("""
            [[ 0,  1,  2,
               3,  4,  5,
               6],
             [ 7,  8,  9,
              10, 11, 12,
              13]]\
            """, values.text());
    }

    @Test
    void valuesCanBeReadBackExactly() {
        MemoryTensor floats = MemoryTensor.row(
                DType.F32, 0.1, -0.0, 1e-5, 16777217, Double.NaN, Double.NEGATIVE_INFINITY, Float.MIN_VALUE, 1e10);
        assertEquals(
                List.of("0.1", "-0.0", "1e-05", "1.6777216e+07", "nan", "-inf", "1.4e-45", "1e+10"),
                show(floats, "").cells());
        assertEquals(
                List.of("0.100097656"),
                show(MemoryTensor.row(DType.BF16, 0.1), "").cells());
        assertEquals(List.of("0.1"), show(MemoryTensor.row(DType.F64, 0.1), "").cells());
        assertEquals(
                List.of("True", "False"),
                show(MemoryTensor.row(DType.BOOL, 1, 0), "").cells());
        for (int pattern = 0; pattern < 1 << 16; pattern++) {
            byte[] bytes = {(byte) pattern, (byte) (pattern >> 8)};
            String text = show(new MemoryTensor(new TensorSpec(DType.BF16, Shape.of(1)), bytes), "")
                    .cells()
                    .getFirst();
            float value = Float.intBitsToFloat(pattern << 16);
            float read = switch (text) {
                case "nan" -> Float.NaN;
                case "inf" -> Float.POSITIVE_INFINITY;
                case "-inf" -> Float.NEGATIVE_INFINITY;
                default -> Float.parseFloat(text);
            };
            assertEquals(value, read, text);
        }
    }

    @Test
    void longIntegersAndComplexNumbersAreExact() {
        byte[] bytes = new byte[8];
        MemorySegment.ofArray(bytes)
                .set(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0, (1L << 62) + 1);
        assertEquals(
                "[4611686018427387905]",
                show(new MemoryTensor(new TensorSpec(DType.I64, Shape.of(1)), bytes), "")
                        .text());
        assertEquals(
                "[18446744073709551615]",
                show(
                                new MemoryTensor(
                                        new TensorSpec(DType.U64, Shape.of(1)),
                                        new byte[] {-1, -1, -1, -1, -1, -1, -1, -1}),
                                "")
                        .text());
        MemoryTensor parts = MemoryTensor.row(DType.F32, 1.5, -2);
        assertEquals(
                "1.5-2.0j",
                show(new MemoryTensor(new TensorSpec(DType.C64, Shape.SCALAR), parts.bytes()), "")
                        .text());
    }

    @Test
    void emptySlicesAreBrackets() {
        assertEquals("[]", show(counting(3, 4), "2:2").text());
        assertEquals("[]", show(counting(0), "").text());
    }
}
