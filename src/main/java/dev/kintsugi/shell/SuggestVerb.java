package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import dev.kintsugi.fusion.Advice;
import dev.kintsugi.fusion.Changes;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import dev.kintsugi.fusion.Survey;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// `suggest MODEL…`.
final class SuggestVerb extends Verb {
    /// Up to so many models the cosine of each pair is shown, else their mean.
    private static final int PAIRED = 4;

    SuggestVerb(Session session) {
        super(
                session,
                "suggest",
                "fuse",
                "Looks at how models changed and proposes a way to fuse them, with reasons; fuses nothing",
                "suggest actor critic --base base",
                List.of(Parameter.several("MODEL", ValueKind.MODEL)),
                OptionSpec.value("base", "MODEL", ValueKind.MODEL, "the model they were trained from"),
                OptionSpec.many("layers", "SEL", ValueKind.SELECTOR, "look at these tensors only"));
    }

    @Override
    Status run(Invocation call) {
        List<ParentModel> models = ParentModel.all(call.words(), OptionalDouble.empty(), session());
        Optional<ParentModel> base = call.value("base").map(b -> ParentModel.one(b, OptionalDouble.empty(), session()));
        Predicate<String> selection = call.has("layers")
                ? FuseValues.tensors(call.values("layers"), models.getFirst().tensors())
                : name -> true;
        List<Input> inputs =
                models.stream().map(m -> Input.of(m.name(), m.tensors())).toList();
        Optional<Input> origin = base.map(b -> Input.of(b.name(), b.tensors()));
        Survey survey = session().work("suggest", job -> Survey.of(inputs, origin, selection, job));
        sheet(survey, Advice.of(survey), call).print(call.console());
        return Status.DONE;
    }

    private static Sheet sheet(Survey survey, Advice advice, Invocation call) {
        boolean table = call.console().format() == OutputFormat.TABLE;
        int models = survey.models().size();
        Sheet sheet = Sheet.of("suggest")
                .fact("models", survey.models())
                .fact("base", survey.base().orElse(""))
                .fact("method", advice.method().orElse(""))
                .fact("reasons", advice.reasons())
                .fact("command", command(survey, advice, call))
                .rows("groups")
                .column("group", "group")
                .number("elements", "elements")
                .column("relative_norm", "change of length")
                .column("cosine", models > 2 && models <= PAIRED ? "cosine of each pair" : "mean cosine")
                .column("sparsity", "unchanged")
                .column("overlap", "shared")
                .column("conflict", "signs differ");
        if (!table) {
            sheet.column("cosines", "cosines");
        }
        List<Changes> all = new ArrayList<>(survey.groups());
        all.add(survey.total());
        boolean based = survey.base().isPresent();
        for (Changes changes : all) {
            List<Double> norms = new ArrayList<>();
            List<Double> sparsities = new ArrayList<>();
            for (int i = 0; i < models; i++) {
                norms.add(changes.relativeNorm(i));
                sparsities.add(based ? changes.sparsity(i) : Double.NaN);
            }
            double overlap = based ? changes.overlap() : Double.NaN;
            double conflict = based ? changes.conflict() : Double.NaN;
            List<Double> cosines = cosines(changes, models);
            if (table) {
                String cosine = models > 2 && models <= PAIRED
                        ? cosines.stream().map(c -> Numbers.text(round(c))).collect(Collectors.joining(" "))
                        : Numbers.text(round(changes.meanCosine()));
                sheet.row(
                        changes.group(),
                        changes.elements(),
                        texts(norms),
                        cosine,
                        shares(sparsities),
                        share(overlap),
                        share(conflict));
            } else {
                sheet.row(
                        changes.group(),
                        changes.elements(),
                        norms,
                        changes.meanCosine(),
                        sparsities,
                        overlap,
                        conflict,
                        cosines);
            }
        }
        sheet.below("");
        advice.reasons().forEach(r -> sheet.below("because " + r));
        return sheet.below(
                advice.method().isEmpty() ? "no method is proposed" : "try:    " + command(survey, advice, call));
    }

    /// Of the first with the second, the first with the third, the second with the third, and so on.
    private static List<Double> cosines(Changes changes, int models) {
        List<Double> cosines = new ArrayList<>();
        for (int k = 1; k < models; k++) {
            for (int i = 0; i < k; i++) {
                cosines.add(changes.cosine(i, k));
            }
        }
        return cosines;
    }

    private static double round(double value) {
        return Math.rint(value * 1000) / 1000;
    }

    private static String texts(List<Double> values) {
        return values.stream().map(v -> Numbers.text(v < 0.001 ? v : round(v))).collect(Collectors.joining(" "));
    }

    private static String shares(List<Double> values) {
        return values.stream().map(SuggestVerb::share).collect(Collectors.joining(" "));
    }

    private static String share(double value) {
        return Double.isNaN(value) ? "-" : Math.round(value * 100) + "%";
    }

    private static String command(Survey survey, Advice advice, Invocation call) {
        if (advice.method().isEmpty()) {
            return "";
        }
        String method = advice.method().get();
        StringBuilder text = new StringBuilder("fuse ").append(method);
        survey.models().forEach(m -> text.append(' ').append(m));
        boolean needs = Methods.named(method).base() != Method.Base.NONE;
        survey.base().filter(b -> needs).ifPresent(b -> text.append(" --base ").append(b));
        advice.options().forEach(o -> text.append(' ').append(o));
        call.values("layers").forEach(l -> text.append(" --layers ").append(Tokenizer.quote(l)));
        return text.append(" --as blend").toString();
    }
}
