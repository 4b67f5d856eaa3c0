package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.work.Job;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HeatTest {
    @Test
    void cellsAreMeansOfTheirPartOfTheMatrix() {
        for (long seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            int height = random.nextInt(1, 50);
            int width = random.nextInt(1, 3000);
            DType dtype = random.nextBoolean() ? DType.BF16 : DType.I16;
            MemoryTensor tensor = MemoryTensor.patterns(dtype, Shape.of(height, width), random);
            int rows = random.nextInt(1, 20);
            int columns = random.nextInt(1, 30);
            Heat heat = Heat.of(tensor, rows, columns, new Job(1));
            assertEquals(heat, Heat.of(tensor, rows, columns, new Job(4)));
            assertEquals(Math.min(rows, height), heat.rows());
            assertEquals(Math.min(columns, width), heat.columns());
            double[] values = tensor.scalars();
            for (int row = 0; row < heat.rows(); row++) {
                for (int column = 0; column < heat.columns(); column++) {
                    double sum = 0;
                    long finite = 0;
                    long others = 0;
                    for (int r = row * height / heat.rows(); r < (row + 1) * height / heat.rows(); r++) {
                        for (int c = column * width / heat.columns(); c < (column + 1) * width / heat.columns(); c++) {
                            double value = values[r * width + c];
                            sum += Double.isFinite(value) ? Math.abs(value) : 0;
                            finite += Double.isFinite(value) ? 1 : 0;
                            others += Double.isFinite(value) ? 0 : 1;
                        }
                    }
                    Heat.Cell cell = heat.cell(row, column);
                    assertEquals(others, cell.nonFinite(), "seed " + seed);
                    assertEquals(finite > 0, cell.meanAbs().isPresent());
                    assertEquals(finite == 0 ? 0 : sum / finite, cell.meanAbs().orElse(0), 1e-12 * sum, "seed " + seed);
                }
            }
        }
    }

    @Test
    void leadingDimsAreRowsAndAVectorIsOneRow() {
        Heat cube = Heat.of(MemoryTensor.of(DType.F32, Shape.of(2, 2, 1), 1, -2, 3, -4), 9, 9, new Job(1));
        assertEquals(4, cube.rows());
        assertEquals(4.0, cube.cell(3, 0).meanAbs().orElseThrow());
        Heat vector = Heat.of(MemoryTensor.row(DType.F32, 1, -3, 5, 7), 8, 2, new Job(1));
        assertEquals(1, vector.rows());
        assertEquals(2.0, vector.cell(0, 0).meanAbs().orElseThrow());
        assertEquals(
                6.0,
                Heat.of(MemoryTensor.of(DType.I8, Shape.SCALAR, -6), 3, 3, new Job(1))
                        .cell(0, 0)
                        .meanAbs()
                        .orElseThrow());
        assertEquals(
                0,
                Heat.of(MemoryTensor.of(DType.F32, Shape.of(0, 4)), 3, 3, new Job(1))
                        .cells()
                        .size());
    }
}
