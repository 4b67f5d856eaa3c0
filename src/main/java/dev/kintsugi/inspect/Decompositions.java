package dev.kintsugi.inspect;

import dev.kintsugi.work.Parallel;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.ojalgo.matrix.decomposition.Eigenvalue;
import org.ojalgo.matrix.decomposition.SingularValue;
import org.ojalgo.matrix.store.R064Store;

/// Squared singular values of matrices that fit in memory, or whose smaller Gram matrix does; the greatest
/// first.
final class Decompositions {
    private static final int STRIP = 256;
    private static final int TOGETHER = 8;

    private Decompositions() {}

    static double[] direct(MatrixRows matrix) {
        // Row by row is column by column of the transpose, which has the same singular values.
        R064Store store = R064Store.wrap(matrix.dense(), (int) matrix.columns());
        SingularValue<Double> decomposition = SingularValue.R064.make(store);
        decomposition.computeValuesOnly(store);
        double[] values = decomposition.getSingularValues().toRawCopy1D();
        return descending(Arrays.stream(values).map(v -> v * v).toArray());
    }

    static double[] gram(MatrixRows matrix) {
        boolean byRows = matrix.columns() <= matrix.rows();
        int size = (int) Math.min(matrix.rows(), matrix.columns());
        long vectors = Math.max(matrix.rows(), matrix.columns());
        double[][] gram = new double[size][size];
        matrix.expectPass();
        for (long first = 0; first < vectors; first += STRIP) {
            int count = (int) Math.min(STRIP, vectors - first);
            double[][] strip = new double[count][size];
            if (byRows) {
                matrix.readRows(first, strip);
            } else {
                matrix.readColumns(first, strip);
            }
            add(matrix, gram, strip);
        }
        double trace = 0;
        for (int i = 0; i < size; i++) {
            trace += gram[i][i];
        }
        matrix.checkFinite(trace);
        return eigenvalues(gram);
    }

    /// Adds the outer products of `strip` to the upper triangle of `gram`. A row of it is one thread's alone,
    /// so the order of additions does not depend on the threads.
    private static void add(MatrixRows matrix, double[][] gram, double[][] strip) {
        List<Integer> combs = IntStream.range(0, TOGETHER).boxed().toList();
        Parallel.map(matrix.job(), combs, comb -> {
            double[][] some = new double[TOGETHER][];
            for (int from = 0; from < strip.length; from += TOGETHER) {
                int count = Math.min(TOGETHER, strip.length - from);
                for (int i = 0; i < TOGETHER; i++) {
                    some[i] = i < count ? strip[from + i] : new double[gram.length];
                }
                for (int row = comb; row < gram.length; row += TOGETHER) {
                    Combine.add(gram[row], some, row, row);
                }
            }
            return comb;
        });
    }

    /// The eigenvalues of the symmetric matrix whose upper triangle is given, the greatest first.
    static double[] eigenvalues(double[][] upper) {
        int size = upper.length;
        double[] all = new double[size * size];
        for (int row = 0; row < size; row++) {
            for (int column = row; column < size; column++) {
                all[row * size + column] = upper[row][column];
                all[column * size + row] = upper[row][column];
            }
        }
        R064Store store = R064Store.wrap(all, size);
        Eigenvalue<Double> decomposition = Eigenvalue.R064.make(size, true);
        decomposition.computeValuesOnly(store);
        double[] values = new double[size];
        decomposition.getEigenvalues(values, Optional.empty());
        return descending(values);
    }

    private static double[] descending(double[] values) {
        Arrays.sort(values);
        for (int i = 0; i < values.length / 2; i++) {
            double swapped = values[i];
            values[i] = values[values.length - 1 - i];
            values[values.length - 1 - i] = swapped;
        }
        return values;
    }
}
