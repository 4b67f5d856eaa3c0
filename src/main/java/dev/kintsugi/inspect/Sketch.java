package dev.kintsugi.inspect;

import java.util.Arrays;
import java.util.List;
import java.util.Random;

/// The greatest singular values of a large matrix `A`, by subspace iteration on `AᵀA` from a random start.
///
/// Each pass reads `A` once, row by row: for a row `a` and an orthonormal basis `Q`, `a (aᵀ Q)` is added up to
/// `AᵀA Q`, whose orthonormalised columns are the next basis. The last pass adds up `(A Q)ᵀ (A Q)`, whose
/// eigenvalues are squares of Ritz values: lower bounds of the squared singular values.
///
/// **Source.** Halko, Martinsson, Tropp, "Finding structure with randomness" (2011), algorithm 4.4.
final class Sketch {
    private static final int SPARE = 8;
    private static final int ITERATIONS = 3;
    private static final int MAX_BANDS = 8;
    private static final long BASIS_BYTES = 56L << 20;
    private static final int CHUNK = 512;
    private static final long SEED = 0x6b696e7473756769L;

    private final MatrixRows matrix;
    private final int columns;
    private final int size;
    private final int bands;

    private Sketch(MatrixRows matrix, int columns, int size, int bands) {
        this.matrix = matrix;
        this.columns = columns;
        this.size = size;
        this.bands = bands;
    }

    /// Squares of the `count` greatest singular values, or of all if there are fewer.
    static double[] of(MatrixRows matrix, int count) {
        int size = (int) Math.min(count + SPARE, Math.min(matrix.rows(), matrix.columns()));
        long basisBytes = Math.multiplyExact(matrix.columns(), 8L * size);
        if (basisBytes > BASIS_BYTES) {
            throw Spectrum.refused(
                    "a matrix of " + matrix.rows() + " by " + matrix.columns() + " is too wide for a spectrum",
                    "a sketch of it would take more than 128 MiB");
        }
        int bands = (int) Math.clamp(BASIS_BYTES / basisBytes, 1, Math.min(MAX_BANDS, matrix.rows()));
        Sketch sketch = new Sketch(matrix, (int) matrix.columns(), size, bands);
        double[][] basis = sketch.start();
        for (int i = 0; i < ITERATIONS; i++) {
            basis = sketch.iterate(basis);
        }
        return Arrays.copyOf(sketch.ritz(basis), Math.min(count, size));
    }

    private double[][] start() {
        Random random = new Random(SEED);
        double[][] basis = new double[size][columns];
        for (double[] vector : basis) {
            Arrays.setAll(vector, _ -> random.nextGaussian());
        }
        orthonormalise(basis);
        return basis;
    }

    private double[][] iterate(double[][] basis) {
        List<double[][]> parts = matrix.bands(bands, walk -> {
            double[][] sum = new double[size][columns];
            Rows rows = new Rows(columns, group -> {
                double[][] products = products(group, basis);
                for (int from = 0; from < columns; from += CHUNK) {
                    int to = Math.min(columns, from + CHUNK);
                    for (int j = 0; j < size; j++) {
                        Combine.addWeighted(sum[j], group, products[j], from, to);
                    }
                }
            });
            walk.with(rows);
            rows.flush();
            return sum;
        });
        double[][] total = sum(parts);
        orthonormalise(total);
        return total;
    }

    private double[] ritz(double[][] basis) {
        List<double[][]> parts = matrix.bands(bands, walk -> {
            double[][] sum = new double[size][size];
            Rows rows = new Rows(columns, group -> {
                double[][] products = products(group, basis);
                for (int i = 0; i < size; i++) {
                    for (int j = i; j < size; j++) {
                        sum[i][j] += dot(products[i], products[j]);
                    }
                }
            });
            walk.with(rows);
            rows.flush();
            return sum;
        });
        return Decompositions.eigenvalues(sum(parts));
    }

    /// Of each basis vector the products with the eight rows of `group`.
    private double[][] products(double[][] group, double[][] basis) {
        double[][] products = new double[size][8];
        for (int from = 0; from < columns; from += CHUNK) {
            int to = Math.min(columns, from + CHUNK);
            for (int j = 0; j < size; j++) {
                Combine.dot(group, basis[j], products[j], from, to);
            }
        }
        return products;
    }

    private static double[][] sum(List<double[][]> parts) {
        double[][] total = parts.getFirst();
        for (double[][] part : parts.subList(1, parts.size())) {
            for (int i = 0; i < total.length; i++) {
                double[] target = total[i];
                double[] source = part[i];
                for (int j = 0; j < target.length; j++) {
                    target[j] += source[j];
                }
            }
        }
        return total;
    }

    /// Gram-Schmidt, each vector twice; a vector that lies in the span of those before becomes zero.
    private static void orthonormalise(double[][] vectors) {
        for (int i = 0; i < vectors.length; i++) {
            double[] vector = vectors[i];
            double before = Math.sqrt(dot(vector, vector));
            for (int again = 0; again < 2; again++) {
                for (int j = 0; j < i; j++) {
                    double share = dot(vectors[j], vector);
                    for (int c = 0; c < vector.length; c++) {
                        vector[c] -= share * vectors[j][c];
                    }
                }
            }
            double norm = Math.sqrt(dot(vector, vector));
            double scale = norm > before * 1e-12 ? 1 / norm : 0;
            for (int c = 0; c < vector.length; c++) {
                vector[c] *= scale;
            }
        }
    }

    private static double dot(double[] one, double[] other) {
        double even = 0;
        double odd = 0;
        for (int i = 0; i + 1 < one.length; i += 2) {
            even += one[i] * other[i];
            odd += one[i + 1] * other[i + 1];
        }
        if ((one.length & 1) == 1) {
            even += one[one.length - 1] * other[one.length - 1];
        }
        return even + odd;
    }

    /// Gathers eight whole rows, the last group filled up with zeros, before it hands them on.
    private static final class Rows implements MatrixRows.RowPart {
        /// What to do with eight rows.
        @FunctionalInterface
        interface Group {
            void accept(double[][] rows);
        }

        private final double[][] rows;
        private final Group group;
        private int filled;

        Rows(int columns, Group group) {
            this.rows = new double[8][columns];
            this.group = group;
        }

        @Override
        public void accept(long row, long firstColumn, double[] values, int count) {
            System.arraycopy(values, 0, rows[filled], (int) firstColumn, count);
            if (firstColumn + count == rows[filled].length && ++filled == rows.length) {
                flush();
            }
        }

        void flush() {
            for (int i = filled; i < rows.length; i++) {
                Arrays.fill(rows[i], 0);
            }
            if (filled > 0) {
                group.accept(rows);
            }
            filled = 0;
        }
    }
}
