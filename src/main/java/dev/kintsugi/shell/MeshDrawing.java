package dev.kintsugi.shell;

import dev.kintsugi.sharding.DeviceMesh;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// A mesh as grids of rank numbers: the last dim runs to the right, the one before it down, the others a grid
/// each. A rank that is not there has a `?` behind its number.
final class MeshDrawing {
    /// What stands in a cell without a rank.
    static final String NO_RANK = "·";

    private MeshDrawing() {}

    static List<String> lines(DeviceMesh mesh, Set<Integer> absent) {
        int ndim = mesh.ndim();
        if (ndim == 0) {
            return List.of("  rank " + label(mesh.ranks()[0], absent));
        }
        int columns = Math.toIntExact(mesh.shape().dim(ndim - 1));
        int rows = ndim > 1 ? Math.toIntExact(mesh.shape().dim(ndim - 2)) : 1;
        int width = 1;
        for (int rank : mesh.ranks()) {
            width = Math.max(width, label(rank, absent).length());
        }
        List<String> lines = new ArrayList<>();
        int grids = mesh.ranks().length / Math.max(1, rows * columns);
        for (int grid = 0; grid < grids; grid++) {
            if (ndim > 2) {
                lines.add("  " + position(mesh, grid));
            }
            grid(mesh, absent, grid * rows * columns, rows, columns, width, lines);
        }
        return lines;
    }

    private static String label(int rank, Set<Integer> absent) {
        if (rank == DeviceMesh.NO_RANK) {
            return NO_RANK;
        }
        return rank + (absent.isEmpty() ? "" : absent.contains(rank) ? "?" : " ");
    }

    private static String position(DeviceMesh mesh, int grid) {
        List<String> parts = new ArrayList<>();
        int rest = grid;
        for (int dim = mesh.ndim() - 3; dim >= 0; dim--) {
            int extent = Math.toIntExact(mesh.shape().dim(dim));
            parts.addFirst(mesh.dimNames().get(dim) + "=" + rest % extent);
            rest /= extent;
        }
        return String.join(" ", parts);
    }

    private static void grid(
            DeviceMesh mesh, Set<Integer> absent, int first, int rows, int columns, int width, List<String> lines) {
        int ndim = mesh.ndim();
        String down = ndim > 1 ? mesh.dimNames().get(ndim - 2) : "";
        String across = mesh.dimNames().get(ndim - 1);
        int label = ndim > 1 ? down.length() + 1 + Integer.toString(rows - 1).length() : 0;
        String margin = "  " + " ".repeat(label) + (label > 0 ? " " : "");
        int[] ranks = mesh.ranks();
        String cell = "─".repeat(width + 2);
        lines.add(margin + " " + across + " →");
        lines.add(margin + "┌" + String.join("┬", Collections.nCopies(columns, cell)) + "┐");
        for (int row = 0; row < rows; row++) {
            StringBuilder line = new StringBuilder("  ");
            if (label > 0) {
                line.append(String.format(Locale.ROOT, "%-" + label + "s ", down + "=" + row));
            }
            for (int column = 0; column < columns; column++) {
                line.append(String.format(
                        Locale.ROOT, "│ %" + width + "s ", label(ranks[first + row * columns + column], absent)));
            }
            lines.add(line.append("│").toString());
        }
        lines.add(margin + "└" + String.join("┴", Collections.nCopies(columns, cell)) + "┘");
    }
}
