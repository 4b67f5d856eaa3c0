package dev.kintsugi.sharding;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Tensors made of flat ranges, and the boxes such ranges are.
class FlatTensorTest {
    /// Elements `from`, `from + 1`, … as bytes.
    private record Counting(DType dtype, int from, long count) implements Tensor {
        @Override
        public TensorSpec spec() {
            return new TensorSpec(dtype, Shape.of(count));
        }

        @Override
        public void read(long firstElement, long elementCount, MemorySegment target) {
            for (long i = 0; i < elementCount; i++) {
                target.set(java.lang.foreign.ValueLayout.JAVA_BYTE, i, (byte) (from + firstElement + i));
            }
        }
    }

    @Test
    void rangesAreReadEndToEndFromAnyElementOn() {
        List<FlatRange> ranges = List.of(
                new FlatRange(new Counting(DType.U8, 0, 10), 3, 4),
                new FlatRange(new Counting(DType.U8, 100, 10), 0, 0),
                new FlatRange(new Counting(DType.U8, 50, 10), 9, 1),
                new FlatRange(new Counting(DType.U8, 70, 10), 0, 3));
        Tensor tensor = FlatTensor.of(new TensorSpec(DType.U8, Shape.of(2, 4)), ranges);
        byte[] expected = {3, 4, 5, 6, 59, 70, 71, 72};
        for (int from = 0; from <= 8; from++) {
            for (int count = 0; from + count <= 8; count++) {
                byte[] read = new byte[count];
                tensor.read(from, count, MemorySegment.ofArray(read));
                for (int i = 0; i < count; i++) {
                    assertEquals(expected[from + i], read[i]);
                }
            }
        }
        assertThrows(IndexOutOfBoundsException.class, () -> tensor.read(5, 4, MemorySegment.ofArray(new byte[4])));
    }

    @Test
    void anEmptyTensorAndAScalarAreRead() {
        FlatTensor.of(new TensorSpec(DType.U8, Shape.of(0, 4)), List.of())
                .read(0, 0, MemorySegment.ofArray(new byte[0]));
        byte[] one = new byte[1];
        FlatTensor.of(
                        new TensorSpec(DType.U8, Shape.SCALAR),
                        List.of(new FlatRange(new Counting(DType.U8, 7, 1), 0, 1)))
                .read(0, 1, MemorySegment.ofArray(one));
        assertEquals(7, one[0]);
    }

    @Test
    void rangesThatDoNotFillTheTensorAreRefused() {
        FlatRange three = new FlatRange(new Counting(DType.U8, 0, 3), 0, 3);
        Fault fault = assertThrows(
                Fault.class, () -> FlatTensor.of(new TensorSpec(DType.U8, Shape.of(2, 2)), List.of(three)));
        assertEquals(Code.K3005, fault.code());
        fault = assertThrows(Fault.class, () -> FlatTensor.of(new TensorSpec(DType.I8, Shape.of(3)), List.of(three)));
        assertEquals(Code.K3003, fault.code());
        assertThrows(IndexOutOfBoundsException.class, () -> new FlatRange(new Counting(DType.U8, 0, 3), 2, 2));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void boxesOfARunHoldItsElementsInOrder(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            long[] dims = new long[random.nextInt(5)];
            for (int d = 0; d < dims.length; d++) {
                dims[d] = 1 + random.nextInt(5);
            }
            Shape shape = Shape.of(dims);
            long first = random.nextLong(shape.elementCount());
            long count = random.nextLong(shape.elementCount() - first + 1);
            List<Region> boxes = FlatBoxes.of(shape, first, count);
            List<Long> elements = new ArrayList<>();
            boxes.forEach(box -> addElements(shape, box, 0, 0, elements));
            List<Long> expected = new ArrayList<>();
            for (long i = 0; i < count; i++) {
                expected.add(first + i);
            }
            String what = "seed " + seed + ": " + first + " + " + count + " of " + shape + " is " + boxes;
            assertEquals(expected, elements, what);
            assertTrue(boxes.size() <= Math.max(1, 2 * dims.length - 1), what);
        }
    }

    private static void addElements(Shape shape, Region box, int dim, long index, List<Long> into) {
        if (dim == shape.ndim()) {
            into.add(index);
            return;
        }
        for (long i = box.offset().dim(dim); i < box.end(dim); i++) {
            addElements(shape, box, dim + 1, index * shape.dim(dim) + i, into);
        }
    }
}
