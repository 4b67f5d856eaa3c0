package dev.kintsugi.checkpoint.megatron;

import java.util.Random;

/// Rows and columns of BF16 bits, handled one element at a time; `columns` is 0 for a vector.
@SuppressWarnings("ArrayRecordComponent")
record Matrix(int rows, int columns, short[] elements) {
    static Matrix random(Random random, int rows, int columns) {
        short[] elements = new short[rows * Math.max(1, columns)];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = (short) random.nextInt(1 << 16);
        }
        return new Matrix(rows, columns, elements);
    }

    int[] shape() {
        return columns == 0 ? new int[] {rows} : new int[] {rows, columns};
    }

    Matrix rows(int from, int count) {
        int width = Math.max(1, columns);
        short[] cut = new short[count * width];
        for (int i = 0; i < cut.length; i++) {
            cut[i] = elements[from * width + i];
        }
        return new Matrix(count, columns, cut);
    }

    Matrix columns(int from, int count) {
        short[] cut = new short[rows * count];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < count; column++) {
                cut[row * count + column] = elements[row * columns + from + column];
            }
        }
        return new Matrix(rows, count, cut);
    }

    Matrix transposed() {
        short[] turned = new short[elements.length];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                turned[column * rows + row] = elements[row * columns + column];
            }
        }
        return new Matrix(columns, rows, turned);
    }

    /// The same elements in another shape.
    Matrix shaped(int otherRows, int otherColumns) {
        return new Matrix(otherRows, otherColumns, elements);
    }

    static Matrix below(Matrix... parts) {
        int rows = 0;
        int at = 0;
        for (Matrix part : parts) {
            rows += part.rows;
            at += part.elements.length;
        }
        short[] all = new short[at];
        at = 0;
        for (Matrix part : parts) {
            for (short element : part.elements) {
                all[at++] = element;
            }
        }
        return new Matrix(rows, parts[0].columns, all);
    }
}
