package dev.kintsugi.shell;

import dev.kintsugi.inspect.ElementStats;
import dev.kintsugi.inspect.Spectrum;
import dev.kintsugi.inspect.Statistics;
import dev.kintsugi.inspect.TensorStats;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/// Reports of statistics and singular values.
final class StatsSheets {
    private StatsSheets() {}

    static Sheet statistics(Choice choice, Statistics statistics) {
        ElementStats total = statistics.total();
        Sheet sheet = Sheet.of("stats")
                .fact("model", choice.model().name())
                .fact("selector", choice.selector().toString())
                .fact("count", (long) statistics.tensors().size())
                .fact("total", facts(total))
                .rows("tensors")
                .column("tensor", "tensor")
                .column("dtype", "dtype")
                .dataOnly()
                .column("shape", "shape")
                .dataOnly()
                .number("elements", "elements")
                .dataOnly()
                .real("min", "min")
                .real("max", "max")
                .real("mean", "mean")
                .real("std", "std")
                .real("abs_max", "abs max")
                .dataOnly()
                .real("l2", "L2")
                .ifRoom()
                .number("zeros", "zeros")
                .ifRoom()
                .number("subnormal", "subnormal")
                .dataOnly()
                .number("nan", "NaN")
                .dataOnly()
                .number("positive_infinite", "+Inf")
                .dataOnly()
                .number("negative_infinite", "-Inf")
                .dataOnly();
        for (TensorStats tensor : statistics.tensors()) {
            row(sheet, tensor);
        }
        sheet.below(Counted.of(statistics.tensors().size(), "tensor") + ", " + Units.exact(total.count())
                + " elements: " + text(total));
        for (TensorStats tensor : statistics.tensors()) {
            if (tensor.elements().hasNonFinite()) {
                sheet.below("not finite: " + tensor.name() + ": " + nonFinite(tensor.elements()));
            }
        }
        return sheet;
    }

    private static void row(Sheet sheet, TensorStats tensor) {
        ElementStats stats = tensor.elements();
        sheet.row(
                tensor.name(),
                tensor.spec().dtype().name(),
                tensor.spec().shape(),
                stats.count(),
                real(stats, ElementStats.Finite::min),
                real(stats, ElementStats.Finite::max),
                real(stats, ElementStats.Finite::mean),
                real(stats, ElementStats.Finite::std),
                real(stats, ElementStats.Finite::absMax),
                real(stats, ElementStats.Finite::l2),
                stats.zeros(),
                stats.subnormal(),
                stats.nan(),
                stats.positiveInfinite(),
                stats.negativeInfinite());
    }

    private static Optional<Double> real(ElementStats stats, ToDoubleFunction<ElementStats.Finite> fact) {
        return stats.finite().map(fact::applyAsDouble);
    }

    private static Map<String, Object> facts(ElementStats stats) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("elements", stats.count());
        facts.put("min", real(stats, ElementStats.Finite::min));
        facts.put("max", real(stats, ElementStats.Finite::max));
        facts.put("mean", real(stats, ElementStats.Finite::mean));
        facts.put("std", real(stats, ElementStats.Finite::std));
        facts.put("abs_max", real(stats, ElementStats.Finite::absMax));
        facts.put("l2", real(stats, ElementStats.Finite::l2));
        facts.put("zeros", stats.zeros());
        facts.put("subnormal", stats.subnormal());
        facts.put("nan", stats.nan());
        facts.put("positive_infinite", stats.positiveInfinite());
        facts.put("negative_infinite", stats.negativeInfinite());
        return facts;
    }

    private static String text(ElementStats stats) {
        List<String> parts = new ArrayList<>();
        stats.finite().ifPresent(f -> {
            parts.add("from " + Units.real(f.min()) + " to " + Units.real(f.max()));
            parts.add("mean " + Units.real(f.mean()) + " ± " + Units.real(f.std()));
            parts.add("L2 " + Units.real(f.l2()));
        });
        parts.add(Counted.of(stats.zeros(), "zero"));
        if (stats.subnormal() > 0) {
            parts.add(Units.exact(stats.subnormal()) + " subnormal");
        }
        parts.add(stats.hasNonFinite() ? nonFinite(stats) : "all finite");
        return String.join(", ", parts);
    }

    private static String nonFinite(ElementStats stats) {
        return Units.exact(stats.nan()) + " NaN, " + Units.exact(stats.positiveInfinite()) + " +Inf, "
                + Units.exact(stats.negativeInfinite()) + " -Inf";
    }

    static Sheet spectra(Choice choice, Map<String, Spectrum> spectra, int without, int listed) {
        Sheet sheet = Sheet.of("spectrum")
                .fact("model", choice.model().name())
                .fact("selector", choice.selector().toString())
                .fact("count", (long) spectra.size())
                .fact("no_matrix", (long) without)
                .rows("tensors")
                .column("tensor", "tensor")
                .number("rows", "rows")
                .dataOnly()
                .number("columns", "columns")
                .dataOnly()
                .real("greatest", "greatest")
                .real("stable_rank", "stable")
                .real("effective_rank", "effective")
                .real("effective_rank_high", "at most")
                .dataOnly()
                .column("of", "of")
                .column("method", "method")
                .real("frobenius_norm", "Frobenius")
                .ifRoom()
                .real("captured", "captured")
                .dataOnly()
                .column("values", "values")
                .dataOnly();
        spectra.forEach((name, spectrum) -> sheet.row(
                name,
                spectrum.rows(),
                spectrum.columns(),
                spectrum.values().getFirst(),
                spectrum.stableRank(),
                spectrum.effectiveRank().low(),
                spectrum.effectiveRank().high(),
                Math.min(spectrum.rows(), spectrum.columns()),
                spectrum.method().name().toLowerCase(Locale.ROOT),
                spectrum.frobeniusNorm(),
                spectrum.captured(),
                spectrum.values().stream().limit(listed).toList()));
        spectra.values().stream()
                .map(Spectrum::method)
                .distinct()
                .sorted()
                .forEach(m -> sheet.below(m.name().toLowerCase(Locale.ROOT) + ": " + m.description()));
        spectra.forEach((name, spectrum) -> {
            if (spectrum.effectiveRank().high() > spectrum.effectiveRank().low()) {
                sheet.below("effective rank of " + name + ": between "
                        + Units.real(spectrum.effectiveRank().low()) + " and "
                        + Units.real(spectrum.effectiveRank().high()));
            }
        });
        if (spectra.size() == 1) {
            Spectrum only = spectra.values().iterator().next();
            sheet.below("greatest values: "
                    + String.join(
                            ", ",
                            only.values().stream()
                                    .limit(listed)
                                    .map(Units::real)
                                    .toList()));
        }
        if (without > 0) {
            sheet.below(Counted.of(without, "tensor") + " of other than two dims left out");
        }
        return sheet;
    }
}
