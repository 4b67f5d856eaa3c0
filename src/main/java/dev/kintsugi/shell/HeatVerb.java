package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.Heat;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.function.Function;

/// `heat [MODEL] TENSOR`.
final class HeatVerb extends Verb {
    /// From low to high: what a cell looks like without colour.
    private static final String SHADES = ".:-=+*#%@";

    /// The same with colour, of the 256 that terminals have: dark blue over green to yellow.
    private static final int[] COLORS = {17, 18, 24, 30, 36, 41, 77, 149, 226};

    HeatVerb(Session session) {
        super(
                session,
                "heat",
                "look",
                "Draws a tensor as cells of mean magnitude, downsampled to the screen",
                "heat actor model.layers.0.mlp.up_proj.weight --rows 8 --columns 32",
                List.of(Parameter.optional("MODEL", ValueKind.TENSOR), Parameter.required("TENSOR", ValueKind.TENSOR)),
                OptionSpec.value("rows", "N", ValueKind.TEXT, "the most rows of cells; 16"),
                OptionSpec.value("columns", "N", ValueKind.TEXT, "the most columns of cells; 64"));
    }

    @Override
    String more() {
        return "The tensor is a matrix: its last dim across, all others down. A cell is the mean of |x| over its"
                + " finite\n"
                + "elements; ! marks a cell with NaN or infinities. Without colour the"
                + " scale is " + SHADES + ".";
    }

    @Override
    Status run(Invocation call) {
        NamedTensor named = NamedTensor.of(call.words(), session());
        named.model().checkUnchanged();
        int rows = call.number("rows", 1).map(n -> (int) Math.min(n, 1000)).orElse(16);
        int columns = call.number("columns", 1)
                .map(n -> (int) Math.min(n, 1000))
                .orElse(Math.min(64, call.console().width() - 16));
        Heat heat =
                session().reading("heat", List.of(named.model()), job -> Heat.of(named.tensor(), rows, columns, job));
        sheet(named, heat, call.console()).print(call.console());
        return Status.DONE;
    }

    private static Sheet sheet(NamedTensor named, Heat heat, Console console) {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (Heat.Cell cell : heat.cells()) {
            if (cell.meanAbs().isPresent()) {
                low = Math.min(low, cell.meanAbs().getAsDouble());
                high = Math.max(high, cell.meanAbs().getAsDouble());
            }
        }
        Sheet sheet = Sheet.of("heat")
                .fact("model", named.model().name())
                .fact("tensor", named.name())
                .fact("dtype", heat.spec().dtype().name())
                .fact("shape", ShowVerb.dims(heat.spec().shape().toArray()))
                .fact("rows", heat.rows())
                .fact("columns", heat.columns())
                .fact("matrix_rows", heat.matrixRows())
                .fact("matrix_columns", heat.matrixColumns())
                .fact("mean_abs", grid(heat, c -> c.meanAbs().stream().boxed().findFirst()))
                .fact("non_finite", grid(heat, Heat.Cell::nonFinite));
        sheet.line(named.name() + "  " + heat.spec() + scale(heat));
        int label = Long.toString(Math.max(0, heat.matrixRows() - 1)).length();
        for (int row = 0; row < heat.rows(); row++) {
            String line = String.format(Locale.ROOT, "%" + (label + 2) + "d │", row * heat.matrixRows() / heat.rows());
            for (int column = 0; column < heat.columns(); column++) {
                line += cell(heat.cell(row, column), low, high, console);
            }
            sheet.painted(line + "│");
        }
        return low > high ? sheet.line("no finite element") : sheet.painted("  mean |x| " + legend(low, high, console));
    }

    private static String scale(Heat heat) {
        if (heat.rows() == 0 || heat.columns() == 0) {
            return "";
        }
        if (heat.rows() == heat.matrixRows() && heat.columns() == heat.matrixColumns()) {
            return ", a cell is an element";
        }
        return ", a cell is about " + share(heat.matrixRows(), heat.rows()) + " × "
                + share(heat.matrixColumns(), heat.columns()) + " elements";
    }

    private static List<List<Object>> grid(Heat heat, Function<Heat.Cell, Object> fact) {
        List<List<Object>> grid = new ArrayList<>();
        for (int row = 0; row < heat.rows(); row++) {
            List<Object> line = new ArrayList<>();
            for (int column = 0; column < heat.columns(); column++) {
                line.add(fact.apply(heat.cell(row, column)));
            }
            grid.add(line);
        }
        return grid;
    }

    private static String share(long extent, int cells) {
        return cells == 0 ? "0" : Units.real((double) extent / cells);
    }

    private static String cell(Heat.Cell cell, double low, double high, Console console) {
        if (cell.nonFinite() > 0) {
            return console.color("97;41", "!");
        }
        OptionalDouble mean = cell.meanAbs();
        if (mean.isEmpty()) {
            return " ";
        }
        int last = SHADES.length() - 1;
        int step = high > low ? (int) Math.round((mean.getAsDouble() - low) / (high - low) * last) : last;
        return shade(step, console);
    }

    /// With colour the letter is there too, in the colour of the cell: copied text stays readable.
    private static String shade(int step, Console console) {
        String letter = SHADES.substring(step, step + 1);
        return console.color("38;5;" + COLORS[step] + ";48;5;" + COLORS[step], letter);
    }

    private static String legend(double low, double high, Console console) {
        String scale = "";
        for (int step = 0; step < SHADES.length(); step++) {
            scale += shade(step, console);
        }
        return Units.real(low) + " " + scale + " " + Units.real(high);
    }
}
