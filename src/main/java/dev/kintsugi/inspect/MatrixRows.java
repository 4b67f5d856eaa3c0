package dev.kintsugi.inspect;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.CompensatedSum;
import dev.kintsugi.numeric.Span;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.ArrayList;
import java.util.List;

/// A tensor as a matrix that is read by rows and parts of rows.
///
/// Every pass over all of it also sums the squares of its elements.
final class MatrixRows {
    private final Tensor tensor;
    private final long rows;
    private final long columns;
    private final Job job;
    private final BlockReader.Pool<Sweep> pool = new BlockReader.Pool<>(Sweep::new);
    private double squaredNorm;

    MatrixRows(Tensor tensor, long rows, long columns, Job job) {
        this.tensor = tensor;
        this.rows = rows;
        this.columns = columns;
        this.job = job;
    }

    long rows() {
        return rows;
    }

    long columns() {
        return columns;
    }

    Job job() {
        return job;
    }

    /// The sum of the squares of all elements, as the last full pass found it; NaN or infinite if an element
    /// is.
    double squaredNorm() {
        return squaredNorm;
    }

    /// **Errors.** [dev.kintsugi.fault.Fault] `K1003` if the last full pass met an element that is not finite:
    /// decompositions of such matrices need not end.
    void checkFinite(double sumOfSquares) {
        squaredNorm = sumOfSquares;
        if (!Double.isFinite(sumOfSquares)) {
            throw Spectrum.refused(
                    "the tensor has elements that are NaN or infinite, or whose squares overflow",
                    "a matrix with such elements has no singular values");
        }
    }

    /// What to do with part of a row.
    @FunctionalInterface
    interface RowPart {
        void accept(long row, long firstColumn, double[] values, int count);
    }

    /// Walks over rows `[from, to)` and gives the sum of squares seen.
    double walk(long from, long to, RowPart action) {
        double[] squares = new double[1];
        double[] part = new double[BlockReader.TILE];
        Span span = new Span(Math.multiplyExact(from, columns), Math.multiplyExact(to - from, columns));
        return pool.with(sweep -> {
            sweep.tiles(tensor, span, job, (values, first, count) -> {
                int done = 0;
                while (done < count) {
                    long column = (first + done) % columns;
                    int length = (int) Math.min(columns - column, count - done);
                    System.arraycopy(values, done, part, 0, length);
                    squares[0] += squares(part, length);
                    action.accept((first + done) / columns, column, part, length);
                    done += length;
                }
            });
            return squares[0];
        });
    }

    /// The whole matrix, row by row. Only for small ones.
    double[] dense() {
        expectPass();
        double[] all = new double[Math.toIntExact(Math.multiplyExact(rows, columns))];
        checkFinite(walk(
                0,
                rows,
                (row, column, values, count) ->
                        System.arraycopy(values, 0, all, (int) (row * columns + column), count)));
        return all;
    }

    /// Columns `[first, first + strip.length)`, each into an array of its own.
    void readColumns(long first, double[][] strip) {
        pool.with(sweep -> {
            for (long row = 0; row < rows; row++) {
                int at = (int) row;
                Span part = new Span(row * columns + first, strip.length);
                sweep.tiles(tensor, part, job, (values, from, count) -> {
                    int column = (int) (from - part.firstElement());
                    for (int i = 0; i < count; i++) {
                        strip[column + i][at] = values[i];
                    }
                });
            }
            return strip;
        });
    }

    /// Rows `[first, first + strip.length)`, each into an array of its own.
    void readRows(long first, double[][] strip) {
        walk(
                first,
                first + strip.length,
                (row, column, values, count) ->
                        System.arraycopy(values, 0, strip[(int) (row - first)], (int) column, count));
    }

    /// Announces one more pass over all of it.
    void expectPass() {
        job.expect(tensor.spec().byteCount());
    }

    /// What `task` makes of each of `count` bands of rows, in order; each band is walked over by one thread.
    <R> List<R> bands(int count, BandTask<R> task) {
        expectPass();
        List<Integer> indices = new ArrayList<>();
        for (int band = 0; band < count; band++) {
            indices.add(band);
        }
        double[] squares = new double[count];
        List<R> results = Parallel.map(job, indices, band -> {
            long from = Math.multiplyExact(rows, band) / count;
            long to = Math.multiplyExact(rows, band + 1L) / count;
            return task.run(action -> squares[band] = walk(from, to, action));
        });
        CompensatedSum sum = new CompensatedSum();
        for (double one : squares) {
            sum.add(one);
        }
        checkFinite(sum.value());
        return results;
    }

    /// A walk over one band, made by the task with its own action.
    @FunctionalInterface
    interface BandWalk {
        void with(RowPart action);
    }

    /// What one band comes to.
    @FunctionalInterface
    interface BandTask<R> {
        R run(BandWalk walk);
    }

    private static double squares(double[] values, int count) {
        double a = 0;
        double b = 0;
        int whole = count & ~1;
        for (int i = 0; i < whole; i += 2) {
            a += values[i] * values[i];
            b += values[i + 1] * values[i + 1];
        }
        for (int i = whole; i < count; i++) {
            a += values[i] * values[i];
        }
        return a + b;
    }
}
