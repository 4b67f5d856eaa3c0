package dev.kintsugi.inspect;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.Span;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/// A tensor as a small grid of mean magnitudes.
///
/// **Shape.** The tensor is a matrix of `matrixRows` by `matrixColumns`: its last dim across, all others
/// down. Row `r` of the grid covers matrix rows `[r * matrixRows / rows, (r + 1) * matrixRows / rows)`, and
/// columns alike. `cells` are `rows * columns`, row by row; there are none if the tensor is empty.
public record Heat(TensorSpec spec, int rows, int columns, long matrixRows, long matrixColumns, List<Cell> cells) {
    /// One cell: the mean of `abs` over its finite elements, absent without any, and how many are not finite.
    public record Cell(OptionalDouble meanAbs, long nonFinite) {}

    public Heat {
        cells = List.copyOf(cells);
    }

    public Cell cell(int row, int column) {
        return cells.get(Math.addExact(Math.multiplyExact(row, columns), column));
    }

    /// Reads `tensor` once into a grid of at most `rows` by `columns`; a complex number counts by its two
    /// parts.
    public static Heat of(Tensor tensor, int rows, int columns, Job job) {
        if (rows < 1 || columns < 1) {
            throw new IllegalArgumentException("a grid has cells");
        }
        Shape shape = tensor.spec().shape();
        long width = shape.ndim() == 0 ? 1 : shape.dim(shape.ndim() - 1);
        long height = width == 0 ? 0 : shape.elementCount() / width;
        if (height == 0) {
            return new Heat(tensor.spec(), 0, 0, height, width, List.of());
        }
        Grid grid = new Grid(height, width, (int) Math.min(rows, height), (int) Math.min(columns, width));
        job.expect(tensor.spec().byteCount());
        List<Integer> bands = new ArrayList<>();
        for (int row = 0; row < grid.rows; row++) {
            bands.add(row);
        }
        BlockReader.Pool<Sweep> pool = new BlockReader.Pool<>(Sweep::new);
        List<Cell> cells =
                Parallel.map(job, bands, row -> pool.with(sweep -> grid.band(sweep, tensor, row, job))).stream()
                        .flatMap(List::stream)
                        .toList();
        return new Heat(tensor.spec(), grid.rows, grid.columns, height, width, cells);
    }

    private record Grid(long height, long width, int rows, int columns) {
        /// The cells of grid row `row`.
        List<Cell> band(Sweep sweep, Tensor tensor, int row, Job job) {
            long from = edge(row, height, rows);
            long to = edge(row + 1, height, rows);
            double[] sums = new double[columns];
            long[] finite = new long[columns];
            long[] others = new long[columns];
            int perElement = BlockReader.scalarsPerElement(tensor.spec().dtype());
            long[] edges = new long[columns + 1];
            for (int column = 0; column <= columns; column++) {
                edges[column] = edge(column, width, columns) * perElement;
            }
            Span span = new Span(from * width, (to - from) * width);
            sweep.tiles(tensor, span, job, (values, first, count) -> {
                int done = 0;
                while (done < count) {
                    long at = (first + done) % (width * perElement);
                    int column = cellOf(edges, at);
                    int length = (int) Math.min(edges[column + 1] - at, count - done);
                    int kept = add(values, done, length, sums, column);
                    finite[column] += kept;
                    others[column] += length - kept;
                    done += length;
                }
            });
            List<Cell> cells = new ArrayList<>();
            for (int column = 0; column < columns; column++) {
                boolean any = finite[column] > 0;
                cells.add(new Cell(
                        any ? OptionalDouble.of(sums[column] / finite[column]) : OptionalDouble.empty(),
                        others[column]));
            }
            return cells;
        }

        private int cellOf(long[] edges, long at) {
            int column = (int) (at * columns / edges[columns]);
            while (edges[column] > at) {
                column--;
            }
            while (edges[column + 1] <= at) {
                column++;
            }
            return column;
        }

        private static long edge(int index, long extent, int cells) {
            return Math.multiplyExact(index, extent) / cells;
        }

        private static int add(double[] values, int from, int count, double[] sums, int column) {
            double sum = 0;
            int finite = 0;
            for (int i = from; i < from + count; i++) {
                double magnitude = Math.abs(values[i]);
                boolean kept = magnitude <= Double.MAX_VALUE;
                sum += kept ? magnitude : 0;
                finite += kept ? 1 : 0;
            }
            sums[column] += sum;
            return finite;
        }
    }
}
