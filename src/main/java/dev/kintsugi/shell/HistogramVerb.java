package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.Histogram;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/// `hist [MODEL] [SEL…]`.
final class HistogramVerb extends Verb {
    private static final String[] EIGHTHS = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

    HistogramVerb(Session session) {
        super(
                session,
                "hist",
                "look",
                "Draws how the values of the chosen tensors together are distributed",
                "hist actor '**.norm.weight' --bins 10",
                List.of(Parameter.optional("MODEL", ValueKind.MODEL), Parameter.any("SEL", ValueKind.SELECTOR)),
                OptionSpec.flag("log", "bins of magnitudes on a logarithmic scale; zeros are counted apart"),
                OptionSpec.value("bins", "N", ValueKind.TEXT, "how many bins; 20"));
    }

    @Override
    Status run(Invocation call) {
        Choice choice = Choice.of(call.words(), session());
        SequencedMap<String, Tensor> chosen = choice.tensors();
        choice.model().checkUnchanged();
        Histogram.Scale scale = call.has("log") ? Histogram.Scale.LOG : Histogram.Scale.LINEAR;
        int bins = call.number("bins", 1).map(n -> (int) Math.min(n, 10_000)).orElse(20);
        Histogram histogram = session()
                .reading(
                        "hist",
                        List.of(choice.model()),
                        job -> Histogram.of(StateDict.of(chosen), name -> true, scale, bins, job));
        sheet(choice, chosen.size(), histogram, call.console()).print(call.console());
        return Status.DONE;
    }

    private static Sheet sheet(Choice choice, int tensors, Histogram histogram, Console console) {
        Sheet sheet = Sheet.of("hist")
                .fact("model", choice.model().name())
                .fact("selector", choice.selector().toString())
                .fact("tensors", (long) tensors)
                .fact("scale", histogram.scale().name().toLowerCase(Locale.ROOT))
                .fact("elements", histogram.count())
                .fact("zeros", histogram.zeros())
                .fact("nan", histogram.nan())
                .fact("positive_infinite", histogram.positiveInfinite())
                .fact("negative_infinite", histogram.negativeInfinite())
                .rows("bins")
                .real("low", "from")
                .real("high", "to")
                .number("count", "elements");
        boolean table = console.format() == OutputFormat.TABLE;
        if (table) {
            sheet.column("bar", "");
        }
        long most =
                histogram.bins().stream().mapToLong(Histogram.Bin::count).max().orElse(0);
        int room = Math.max(
                10, Math.min(60, console.width() - 2 * 12 - Units.exact(most).length() - 6));
        String what = histogram.scale() == Histogram.Scale.LOG ? "magnitudes" : "values";
        sheet.line(choice.model().name() + " " + choice.selector() + ": " + what + " of "
                + Counted.of(tensors, "tensor") + ", " + Units.exact(histogram.count()) + " elements");
        for (Histogram.Bin bin : histogram.bins()) {
            if (table) {
                sheet.row(bin.low(), bin.high(), bin.count(), bar(bin.count(), most, room));
            } else {
                sheet.row(bin.low(), bin.high(), bin.count());
            }
        }
        String apart = apart(histogram);
        if (!apart.isEmpty()) {
            sheet.below(apart);
        }
        return sheet;
    }

    /// A bar of `room` columns for `most`; never nothing for something.
    private static String bar(long count, long most, int room) {
        if (count == 0) {
            return "";
        }
        int eighths = (int) Math.max(1, Math.round((double) count / most * room * 8));
        return "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
    }

    private static String apart(Histogram histogram) {
        List<String> parts = new ArrayList<>();
        if (histogram.zeros() > 0) {
            parts.add(Counted.of(histogram.zeros(), "zero")
                    + (histogram.scale() == Histogram.Scale.LOG ? ", in no bin" : ""));
        }
        if (histogram.nan() > 0) {
            parts.add(Units.exact(histogram.nan()) + " NaN");
        }
        if (histogram.positiveInfinite() + histogram.negativeInfinite() > 0) {
            parts.add(Units.exact(histogram.positiveInfinite()) + " +Inf, " + Units.exact(histogram.negativeInfinite())
                    + " -Inf");
        }
        return String.join(" · ", parts);
    }
}
