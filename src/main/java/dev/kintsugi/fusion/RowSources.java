package dev.kintsugi.fusion;

import dev.kintsugi.numeric.ComputedTensor;
import dev.kintsugi.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Whose row stands in for a token that a model lacks; shared by the models of a merge.
///
/// @param tensors one tensor of each model
/// @param donors for each row of the result a model, or one of the constants
/// @param rows that model's row
/// @param owners for rows that are means, the row of each model, -1 where it has none
@SuppressWarnings("ArrayRecordComponent")
record RowSources(List<Tensor> tensors, int[] donors, int[] rows, Map<Integer, int[]> owners) {
    /// A row of no token.
    static final int UNUSED = -1;

    /// The mean of the owners' rows.
    static final int MEAN = -2;

    /// Zeros.
    static final int ZERO = -3;

    boolean isUsed(int row) {
        return donors[row] != UNUSED;
    }

    /// Writes elements `[from, from + count)` of a row that is used.
    void write(int row, int width, int from, int count, double[] values) {
        if (donors[row] >= 0) {
            decode(donors[row], rows[row], width, from, count, values);
            return;
        }
        Arrays.fill(values, 0, count, 0);
        if (donors[row] == ZERO) {
            return;
        }
        double[] one = new double[count];
        int[] each = Objects.requireNonNull(owners.get(row));
        int having = 0;
        for (int model = 0; model < each.length; model++) {
            if (each[model] >= 0) {
                decode(model, each[model], width, from, count, one);
                having++;
                for (int i = 0; i < count; i++) {
                    values[i] += one[i];
                }
            }
        }
        for (int i = 0; i < count; i++) {
            values[i] /= having;
        }
    }

    private void decode(int model, int row, int width, int from, int count, double[] values) {
        ComputedTensor.decode(tensors.get(model), (long) row * width + from, count, values);
    }
}
