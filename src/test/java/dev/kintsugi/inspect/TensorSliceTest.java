package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TensorSliceTest {
    private static List<Long> taken(String text, long extent) {
        TensorSlice.Axis axis = TensorSlice.parse(text).axes(Shape.of(extent)).getFirst();
        List<Long> indices = new ArrayList<>();
        for (long i = 0; i < axis.count(); i++) {
            indices.add(axis.first() + i * axis.step());
        }
        return indices;
    }

    /// Expected values are those of CPython's `list(range(n))[slice]`.
    @ParameterizedTest
    @CsvSource({
        "0:4, 10, 0 1 2 3",
        ":3, 10, 0 1 2",
        "7:, 10, 7 8 9",
        ":, 3, 0 1 2",
        "::3, 10, 0 3 6 9",
        "-3:, 10, 7 8 9",
        ":-8, 10, 0 1",
        "::-1, 3, 2 1 0",
        "-2::-4, 10, 8 4 0",
        "8:2:-3, 10, 8 5",
        "5:100, 7, 5 6",
        "-100:2, 7, 0 1",
        "4:4, 10, ''",
        "5:2, 10, ''",
        "2:5:-1, 10, ''",
        "20:30, 10, ''",
        "100::-50, 60, 59 9",
        "[1:3], 10, 1 2",
        "-1, 10, 9",
        " 2 : 4 , 10, 2 3"
    })
    void sliceTakesWhatPythonTakes(String text, long extent, String expected) {
        List<Long> indices = expected.isEmpty()
                ? List.of()
                : List.of(expected.split(" ")).stream().map(Long::valueOf).toList();
        assertEquals(indices, taken(text, extent));
    }

    @Test
    void anySliceTakesWhatTheDefinitionSays() {
        for (long seed = 0; seed < 3000; seed++) {
            Random random = new Random(seed);
            int extent = random.nextInt(9);
            String from = random.nextInt(3) == 0 ? "" : String.valueOf(random.nextInt(-12, 13));
            String to = random.nextInt(3) == 0 ? "" : String.valueOf(random.nextInt(-12, 13));
            int step = random.nextInt(1, 4) * (random.nextBoolean() ? 1 : -1);
            String text = from + ":" + to + ":" + step;
            assertEquals(
                    byDefinition(from, to, step, extent),
                    taken(text, extent),
                    text + " of " + extent + " seed " + seed);
        }
    }

    /// The definition in the Python reference: walk from the start, which was clipped, until the stop.
    private static List<Long> byDefinition(String from, String to, int step, int extent) {
        long start = from.isEmpty() ? (step > 0 ? 0 : extent - 1) : clip(Long.parseLong(from), step, extent);
        long stop = to.isEmpty() ? (step > 0 ? extent : -1) : clip(Long.parseLong(to), step, extent);
        List<Long> indices = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            indices.add(i);
        }
        return indices;
    }

    private static long clip(long index, int step, int extent) {
        long at = index < 0 ? index + extent : index;
        if (at < 0) {
            return step > 0 ? 0 : -1;
        }
        return at >= extent ? (step > 0 ? extent : extent - 1) : at;
    }

    @Test
    void anEllipsisStandsForTheDimsLeftOver() {
        Shape shape = Shape.of(2, 3, 4, 5);
        List<TensorSlice.Axis> axes = TensorSlice.parse("1,...,::2").axes(shape);
        assertEquals(new TensorSlice.Axis(1, 1, 1, false), axes.get(0));
        assertEquals(new TensorSlice.Axis(0, 1, 3, true), axes.get(1));
        assertEquals(new TensorSlice.Axis(0, 1, 4, true), axes.get(2));
        assertEquals(new TensorSlice.Axis(0, 2, 3, true), axes.get(3));
        assertEquals(4, TensorSlice.parse("1").axes(shape).size());
        assertEquals(4, TensorSlice.parse("0,0,...,0,0").axes(shape).size());
        assertEquals(TensorSlice.all().axes(shape), TensorSlice.parse("").axes(shape));
        assertEquals(List.of(), TensorSlice.all().axes(Shape.SCALAR));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "1,,2", "1:2:0", "1:2:3:4", "...,...", "1.5", "99999999999999999999", ","})
    void whatIsNoSliceIsRefused(String text) {
        assertEquals(
                Code.K1003,
                assertThrows(Fault.class, () -> TensorSlice.parse(text)).code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"3", "-4", "0,0", ":,:"})
    void whatLiesOutsideTheTensorIsRefused(String text) {
        TensorSlice slice = TensorSlice.parse(text);
        assertEquals(
                Code.K1003,
                assertThrows(Fault.class, () -> slice.axes(Shape.of(3))).code());
    }
}
