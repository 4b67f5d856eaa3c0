package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.diff.DiffReport;
import dev.kintsugi.diff.GroupDifference;
import dev.kintsugi.diff.SpecDifference;
import dev.kintsugi.diff.TensorDifference;
import dev.kintsugi.tensor.Region;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/// Reports of comparisons.
final class DiffSheets {
    private static final int NAMES = 8;

    private DiffSheets() {}

    /// What both models are called, and how the tensors of one of them lie over its ranks.
    record Sides(String a, String b, Map<String, Layout> layouts) {
        static Sides of(Model a, Model b) {
            Map<String, Layout> layouts = new LinkedHashMap<>(layouts(b));
            layouts.putAll(layouts(a));
            return new Sides(a.name(), b.name(), layouts);
        }

        private static Map<String, Layout> layouts(Model model) {
            Map<String, Layout> layouts = new LinkedHashMap<>();
            model.checkpoint()
                    .filter(c -> !c.ranks().isEmpty())
                    .ifPresent(c -> model.hub().origins().forEach((name, origin) -> {
                        Layout layout = c.layouts().get(origin.stored().getFirst());
                        if (layout != null) {
                            layouts.put(name, layout);
                        }
                    }));
            return layouts;
        }
    }

    /// Who holds the first element that differs.
    private static String rank(TensorDifference t, Map<String, Layout> layouts) {
        Layout layout = layouts.get(t.name());
        if (layout == null
                || t.firstDiffering().isEmpty()
                || !layout.spec().shape().equals(t.a().shape())) {
            return "";
        }
        List<Long> index = t.firstDiffering().get();
        return Ranks.text(layout.pieces().stream()
                .filter(p -> holds(p.global(), index))
                .map(Piece::rank)
                .toList());
    }

    private static boolean holds(Region region, List<Long> index) {
        for (int dim = 0; dim < index.size(); dim++) {
            if (index.get(dim) < region.offset().dim(dim) || index.get(dim) >= region.end(dim)) {
                return false;
            }
        }
        return true;
    }

    static Sheet tensors(Sides sides, DiffReport report, int top) {
        Sheet sheet = head(Sheet.of("diff"), sides, report)
                .rows("tensors")
                .column("tensor", "tensor")
                .column("dtype_a", "dtype a")
                .dataOnly()
                .column("dtype_b", "dtype b")
                .dataOnly()
                .number("elements", "elements")
                .dataOnly()
                .number("differing", "differing")
                .number("outside", "beyond")
                .dataOnly()
                .real("max_abs", "max abs")
                .real("max_relative", "max rel")
                .column("first_differing", "first at")
                .column("first_rank", "rank");
        if (sides.layouts().isEmpty()) {
            sheet.dataOnly();
        }
        sheet.real("rms", "RMS")
                .ifRoom()
                .real("relative_norm", "rel norm")
                .dataOnly()
                .real("cosine", "cosine")
                .ifRoom()
                .number("max_ulps", "ULPs")
                .ifRoom()
                .number("nan_mismatches", "NaN")
                .dataOnly()
                .number("infinity_mismatches", "Inf")
                .dataOnly();
        List<TensorDifference> differing = report.differing();
        differing.stream().limit(top).forEach(t -> row(sheet, t, sides.layouts()));
        differing.stream()
                .limit(top)
                .filter(t -> t.nanMismatches() + t.infinityMismatches() > 0)
                .forEach(t -> sheet.below("not finite on one side only: " + t.name() + ": "
                        + Units.exact(t.nanMismatches()) + " NaN, " + Units.exact(t.infinityMismatches()) + " Inf"));
        if (differing.size() > top) {
            sheet.below("… and " + Counted.of(differing.size() - top, "more tensor") + " that differ; --top N lists"
                    + " more, --summary groups them");
        }
        return sheet;
    }

    private static void row(Sheet sheet, TensorDifference t, Map<String, Layout> layouts) {
        sheet.row(
                t.name(),
                t.a().dtype().name(),
                t.b().dtype().name(),
                t.elements(),
                t.differing(),
                t.outside(),
                t.maxAbs(),
                t.maxRelative(),
                t.firstDiffering(),
                rank(t, layouts),
                t.rms(),
                t.relativeNorm(),
                t.cosine().stream().boxed().findFirst(),
                t.maxUlps().stream().boxed().findFirst(),
                t.nanMismatches(),
                t.infinityMismatches());
    }

    static Sheet summary(Sides sides, DiffReport report) {
        Sheet sheet = head(Sheet.of("diff-summary"), sides, report)
                .rows("groups")
                .column("layer", "layer")
                .column("part", "part")
                .number("tensors", "tensors")
                .number("differing_tensors", "differ")
                .number("elements", "elements")
                .ifRoom()
                .number("differing", "differing")
                .number("outside", "beyond")
                .dataOnly()
                .real("max_abs", "max abs")
                .real("max_relative", "max rel")
                .real("rms", "RMS")
                .number("nan_mismatches", "NaN")
                .dataOnly();
        for (GroupDifference g : report.summary()) {
            sheet.row(
                    g.layer().stream().boxed().findFirst(),
                    g.part().name().toLowerCase(Locale.ROOT),
                    (long) g.tensors(),
                    (long) g.differingTensors(),
                    g.elements(),
                    g.differing(),
                    g.outside(),
                    g.maxAbs(),
                    g.maxRelative(),
                    g.rms(),
                    g.nanMismatches());
        }
        return sheet;
    }

    static Sheet ranks(Sides sides, DiffReport report, Collection<RankDifferences.OfRank> ranks) {
        Sheet sheet = head(Sheet.of("diff-by-rank"), sides, report)
                .rows("ranks")
                .number("rank", "rank")
                .number("pieces", "pieces")
                .number("differing_pieces", "differ")
                .number("differing", "elements")
                .real("max_abs", "max abs")
                .column("first_tensor", "first in");
        ranks.forEach(r -> sheet.row((long) r.rank(), r.pieces(), r.differing(), r.elements(), r.maxAbs(), r.first()));
        if (ranks.isEmpty() && !report.differing().isEmpty()) {
            sheet.below("what differs lies on no rank of " + sides.a() + " or " + sides.b());
        }
        return sheet;
    }

    private static Sheet head(Sheet sheet, Sides sides, DiffReport report) {
        sheet.fact("a", sides.a())
                .fact("b", sides.b())
                .fact("agrees", report.agrees())
                .fact("bit_equal", report.bitEqual())
                .fact("rtol", report.tolerances().rtol())
                .fact("atol", report.tolerances().atol())
                .fact("compared", (long) report.tensors().size())
                .fact("missing", report.missing())
                .fact("extra", report.extra())
                .fact("shapes", report.shapes().stream().map(DiffSheets::facts).toList())
                .fact("dtypes", report.dtypes().stream().map(DiffSheets::facts).toList());
        sheet.line(sides.a() + " and " + sides.b() + ": " + verdict(report));
        lines(sheet, "only in " + sides.a(), report.missing());
        lines(sheet, "only in " + sides.b(), report.extra());
        prefix(report).ifPresent(sheet::line);
        lines(sheet, "shapes differ", specs(report.shapes(), s -> s.a().shape() + " / " + s.b().shape()));
        dtypes(report).forEach((pair, count) -> sheet.line("  dtypes differ: " + pair + " ×" + count));
        return sheet;
    }

    private static Map<String, Object> facts(SpecDifference difference) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("tensor", difference.name());
        facts.put("a", difference.a().toString());
        facts.put("b", difference.b().toString());
        return facts;
    }

    private static String verdict(DiffReport report) {
        int compared = report.tensors().size();
        if (report.bitEqual()) {
            return "equal bit for bit, " + Counted.of(compared, "tensor");
        }
        long differ = report.differing().size();
        long beyond = report.tensors().stream().filter(t -> !t.close()).count();
        boolean exact = report.tolerances().rtol() == 0 && report.tolerances().atol() == 0;
        if (compared == 0) {
            return "structure differs, no tensor of one shape in both";
        }
        String values = differ == 0
                ? "all values equal in " + Counted.of(compared, "tensor")
                : differ + " of " + Counted.of(compared, "tensor") + " differ"
                        + (exact ? "" : ", " + beyond + " beyond the tolerances");
        return (report.sameStructure() ? "same names and shapes" : "structure differs") + ", " + values;
    }

    private static Map<String, Integer> dtypes(DiffReport report) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        report.dtypes().forEach(d -> counts.merge(d.a().dtype() + " / " + d.b().dtype(), 1, Integer::sum));
        return counts;
    }

    private static List<String> specs(List<SpecDifference> list, Function<SpecDifference, String> text) {
        return list.stream().map(s -> s.name() + " " + text.apply(s)).toList();
    }

    private static void lines(Sheet sheet, String title, List<String> names) {
        if (names.isEmpty()) {
            return;
        }
        sheet.line("  " + title + ": " + names.size());
        List<String> lines = new ArrayList<>();
        Collapsed.of(names, n -> "")
                .forEach(g -> lines.add(g.text()
                        + (g.names().size() == 1 ? "" : " ×" + g.names().size())));
        lines.stream().limit(NAMES).forEach(l -> sheet.line("    " + l));
        if (lines.size() > NAMES) {
            sheet.line("    … and " + (lines.size() - NAMES) + " more; --format json lists all");
        }
    }

    /// Where most names of one side are those of the other behind a prefix, how to compare them.
    private static Optional<String> prefix(DiffReport report) {
        for (String name : report.missing()) {
            for (String other : report.extra()) {
                Optional<String> map = map(name, other);
                if (map.isPresent()) {
                    String[] parts = map.get().split("=", -1);
                    long fitting = report.missing().stream()
                            .filter(n -> n.startsWith(parts[0])
                                    && report.extra().contains(parts[1] + n.substring(parts[0].length())))
                            .count();
                    return Optional.of("  " + fitting + " of them are the same names behind another beginning; compare"
                            + " them with: --map " + map.get());
                }
            }
            if (report.missing().indexOf(name) >= NAMES) {
                break;
            }
        }
        return Optional.empty();
    }

    private static Optional<String> map(String name, String other) {
        if (name.endsWith("." + other)) {
            return Optional.of(name.substring(0, name.length() - other.length()) + "=");
        }
        return other.endsWith("." + name)
                ? Optional.of("=" + other.substring(0, other.length() - name.length()))
                : Optional.empty();
    }
}
