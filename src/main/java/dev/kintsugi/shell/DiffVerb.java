package dev.kintsugi.shell;

import dev.kintsugi.diff.Diff;
import dev.kintsugi.diff.DiffReport;
import dev.kintsugi.diff.Tolerances;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// `diff A B [SEL…]`.
final class DiffVerb extends Verb {
    static final List<OptionSpec> OPTIONS = List.of(
            OptionSpec.value("rtol", "X", ValueKind.TEXT, "values may differ by X times those of B"),
            OptionSpec.value("atol", "X", ValueKind.TEXT, "values may differ by X"),
            OptionSpec.value("top", "N", ValueKind.TEXT, "list the N tensors that matter most; 20, in JSON all"),
            OptionSpec.flag("summary", "a line for each part of each layer instead of each tensor"),
            OptionSpec.flag("by-rank", "a line for each rank: how much of what differs it holds"));

    DiffVerb(Session session) {
        super(
                session,
                "diff",
                "look",
                "Compares two models: structure first, then values, what matters most first",
                "diff actor actor model.layers.0.** --top 5",
                List.of(
                        Parameter.required("A", ValueKind.MODEL),
                        Parameter.required("B", ValueKind.MODEL),
                        Parameter.any("SEL", ValueKind.SELECTOR)),
                specs());
    }

    private static OptionSpec[] specs() {
        List<OptionSpec> specs = new ArrayList<>(OPTIONS);
        specs.add(OptionSpec.value(
                "map", "FROM=TO", ValueKind.TEXT, "names of A that begin with FROM begin with TO instead"));
        return specs.toArray(OptionSpec[]::new);
    }

    @Override
    String more() {
        return "Values are close where |a - b| <= atol + rtol * |b|, both 0 unless given; -0.0 equals 0.0, NaN equals"
                + " NaN.\n"
                + "Models of different sources, dtypes and shardings compare directly. Exit status 0: same names and"
                + " shapes,\n"
                + "all values close; 1: not.";
    }

    @Override
    Status run(Invocation call) {
        Model a = session().model(call.word(0));
        Model b = session().model(call.word(1));
        List<String> terms = call.words().subList(2, call.words().size());
        Tolerances tolerances = tolerances(call, Tolerances.EXACT);
        a.checkUnchanged();
        b.checkUnchanged();
        Set<String> chosenOfA = chosen(a, terms);
        Set<String> chosenOfB = chosen(b, terms);
        if (chosenOfA.isEmpty() && chosenOfB.isEmpty()) {
            Choice.of(with(a.name(), terms), session()).tensors();
        }
        StateDict one = mapped(a.tensors().filter(chosenOfA::contains), call);
        StateDict other = b.tensors().filter(chosenOfB::contains);
        DiffReport report = session()
                .reading("diff", List.of(a, b), job -> Diff.compare(one, other, name -> true, tolerances, job));
        DiffSheets.Sides sides = DiffSheets.Sides.of(a, b);
        return print(call, sides, report, one, other);
    }

    /// Prints `report` as the options ask for it. The status tells whether both agree.
    static Status print(Invocation call, DiffSheets.Sides sides, DiffReport report, StateDict a, StateDict b) {
        if (call.has("by-rank")) {
            var ranks = call.session().work("diff", job -> RankDifferences.of(report, a, b, sides.layouts(), job));
            DiffSheets.ranks(sides, report, ranks.values()).print(call.console());
            return report.agrees() ? Status.DONE : Status.DIFFERENT;
        }
        boolean table = call.console().format() == OutputFormat.TABLE;
        int top = call.number("top", 0)
                .map(n -> (int) Math.min(n, Integer.MAX_VALUE))
                .orElse(table ? 20 : Integer.MAX_VALUE);
        Sheet sheet = call.has("summary") ? DiffSheets.summary(sides, report) : DiffSheets.tensors(sides, report, top);
        sheet.print(call.console());
        return report.agrees() ? Status.DONE : Status.DIFFERENT;
    }

    private static List<String> with(String model, List<String> terms) {
        List<String> words = new ArrayList<>(List.of(model));
        words.addAll(terms);
        return words;
    }

    private Set<String> chosen(Model model, List<String> terms) {
        try {
            return new TreeSet<>(
                    Choice.of(with(model.name(), terms), session()).tensors().keySet());
        } catch (Fault fault) {
            if (fault.code() == Code.K1005) {
                return Set.of();
            }
            throw fault;
        }
    }

    private static StateDict mapped(StateDict dict, Invocation call) {
        if (call.value("map").isEmpty()) {
            return dict;
        }
        String[] parts = call.value("map").get().split("=", -1);
        if (parts.length != 2) {
            throw new Fault(
                    Code.K1003,
                    "--map " + call.value("map").get() + ": not of the form FROM=TO",
                    "it names the beginning that names have and the one they are to have; either may be empty",
                    "write for example --map bert.=");
        }
        try {
            return dict.rename(n -> n.startsWith(parts[0]) ? parts[1] + n.substring(parts[0].length()) : n);
        } catch (IllegalArgumentException e) {
            throw new Fault(Code.K1003, "--map: " + e.getMessage(), "names must stay apart", "map less", e);
        }
    }

    static Tolerances tolerances(Invocation call, Tolerances usual) {
        return new Tolerances(
                call.value("rtol").map(t -> tolerance("rtol", t)).orElse(usual.rtol()),
                call.value("atol").map(t -> tolerance("atol", t)).orElse(usual.atol()));
    }

    private static double tolerance(String option, String text) {
        try {
            double value = Double.parseDouble(text);
            if (value >= 0 && value <= Double.MAX_VALUE) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw noTolerance(option, text, e);
        }
        throw noTolerance(option, text, null);
    }

    private static Fault noTolerance(String option, String text, @Nullable Throwable cause) {
        return new Fault(
                Code.K1003,
                "--" + option + " " + text + ": not a number of 0 or more",
                "values may differ by a tolerance",
                "write for example --" + option + " 1e-5",
                cause);
    }
}
