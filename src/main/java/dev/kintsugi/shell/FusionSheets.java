package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.AttentionReport;
import dev.kintsugi.fusion.FusedTensor;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Preview;
import dev.kintsugi.fusion.RowTensor;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.selector.Selector;
import dev.kintsugi.selector.Subject;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// Reports about fusions.
final class FusionSheets {
    private static final int SHOWN_FORMULAS = 3;
    private static final int SHOWN_GROUPS = 16;

    private FusionSheets() {}

    /// What was defined: the model in a line, the formula, the weights.
    static Sheet defined(FusedModel model) {
        FusionAccount account = new FusionAccount(model);
        Sheet sheet = Sheet.of("fuse").line(ModelText.summary(model));
        facts(sheet, model, account);
        formulas(sheet, account);
        account.weights().ifPresent(w -> sheet.line("  weights   " + w));
        return sheet.line("  tensors   " + counts(account));
    }

    private static void facts(Sheet sheet, FusedModel model, FusionAccount account) {
        sheet.fact("model", model.name())
                .fact("method", model.fusion().map(f -> f.method().name()).orElse("slices"))
                .fact(
                        "parents",
                        model.parents().all().stream().map(ParentModel::name).toList())
                .fact(
                        "base",
                        model.fusion().flatMap(Fusion::base).map(b -> b.name()).orElse(""))
                .fact("formulas", account.formulas())
                .fact("weights", account.weights().orElse(""))
                .fact("tensors", (long) model.tensors().size())
                .fact("computed", (long) account.tensors("computed"))
                .fact("copied", (long) account.tensors("copied"))
                .fact("bytes", model.tensors().byteCount())
                .fact("bytes_to_read", account.readBytes())
                .fact("earlier_sweeps", (long) account.sweeps())
                .fact("dtypes", ModelText.dtypes(model.tensors()))
                .fact("tokens", model.tokenNotes())
                .fact("command", model.command());
    }

    private static void formulas(Sheet sheet, FusionAccount account) {
        List<String> formulas = account.formulas();
        formulas.stream().limit(SHOWN_FORMULAS).forEach(f -> sheet.line("  formula   " + f));
        if (formulas.size() > SHOWN_FORMULAS) {
            sheet.line("            and " + (formulas.size() - SHOWN_FORMULAS) + " more, by layer and tensor");
        }
    }

    private static String counts(FusionAccount account) {
        List<String> parts = new ArrayList<>();
        for (String action : List.of("computed", "copied", "put in order", "laid end to end", "equal in all")) {
            int count = account.tensors(action);
            if (count > 0) {
                parts.add(Units.exact(count) + " " + action);
            }
        }
        return String.join(", ", parts);
    }

    /// The whole fusion: formula, parents, what is done with which tensors, what it costs.
    static Sheet explained(FusedModel model) {
        FusionAccount account = new FusionAccount(model);
        Sheet sheet = Sheet.of("explain-fusion").line(ModelText.summary(model));
        facts(sheet, model, account);
        sheet.line("  made by   " + model.command());
        model.fusion()
                .ifPresent(f -> sheet.line(
                        "  method    " + f.method().name() + ": " + f.method().formula()));
        account.weights().ifPresent(w -> sheet.line("  weights   " + w));
        List<ParentModel> parents = model.parents().all();
        for (ParentModel parent : parents) {
            sheet.line("  made of   " + parent.name() + role(model, parent, account) + ": "
                    + parent.models().stream().map(ModelText::brief).collect(Collectors.joining(" + ")));
        }
        model.tokenNotes().forEach(note -> sheet.line("  tokens    " + note));
        sheet.line("  cost      reads " + Units.bytes(account.readBytes()) + " for "
                + Units.bytes(model.tensors().byteCount()) + " of results"
                + (account.sweeps() > 0
                        ? ", " + Counted.of(account.sweeps(), "sweep") + " over the models before the first result"
                        : ", in one sweep"));
        sheet.rows("parts")
                .column("action", "what")
                .number("tensors", "tensors")
                .bytes("bytes", "bytes")
                .bytes("bytes_to_read", "reads")
                .number("earlier_sweeps", "earlier sweeps")
                .column("first", "first tensor")
                .column("formula", "formula");
        account.parts()
                .forEach(p -> sheet.row(
                        p.action(),
                        (long) p.names().size(),
                        p.bytes(),
                        p.readBytes(),
                        (long) p.sweeps(),
                        p.names().getFirst(),
                        p.formula()));
        return sheet;
    }

    private static String role(FusedModel model, ParentModel parent, FusionAccount account) {
        Optional<Fusion> fusion = model.fusion();
        if (fusion.isEmpty()) {
            return "";
        }
        for (int i = 0; i < fusion.get().inputs().size(); i++) {
            boolean weighs = fusion.get().method().findOption("weight").isPresent();
            if (fusion.get().inputs().get(i).name().equals(parent.name())) {
                return weighs ? ", weight " + account.weight(i) : "";
            }
        }
        return fusion.get().base().filter(b -> b.name().equals(parent.name())).isPresent()
                ? ", the base"
                : ", the rest";
    }

    /// One tensor: its formula, its parents, and for attention who is listened to where.
    static Sheet tensor(FusedModel model, String name, OutputFormat format) {
        Tensor tensor = model.tensors().tensor(name);
        Sheet sheet = Sheet.of("explain-fused-tensor")
                .fact("model", model.name())
                .fact("tensor", name)
                .fact("dtype", tensor.spec().dtype().name())
                .fact("shape", tensor.spec().shape());
        if (!(tensor instanceof FusedTensor fused)) {
            String owner = model.parents().all().stream()
                    .filter(p -> p.tensors().find(name).filter(t -> t == tensor).isPresent())
                    .map(p -> "unchanged from " + p.name())
                    .findFirst()
                    .orElse(
                            tensor instanceof RowTensor
                                    ? "rows put in the order of the result's tokens"
                                    : "the models' own elements, without arithmetic");
            return sheet.fact("formula", owner)
                    .fact("earlier_sweeps", 0L)
                    .fact("bytes_to_read", tensor.spec().byteCount())
                    .line(name + "  " + tensor.spec() + ", " + owner);
        }
        long parents =
                fused.parents().stream().mapToLong(p -> p.spec().byteCount()).sum();
        sheet.fact("formula", fused.formula())
                .fact("earlier_sweeps", (long) fused.earlierSweeps())
                .fact("bytes_to_read", parents * (1 + fused.earlierSweeps()))
                .line(name + "  " + tensor.spec())
                .line("  formula   " + fused.formula());
        for (int i = 0; i < fused.parents().size(); i++) {
            sheet.line("  made of   " + fused.parentNames().get(i) + " "
                    + fused.parents().get(i).spec());
        }
        sheet.line("  cost      reads " + Units.bytes(parents * (1 + fused.earlierSweeps())) + ", "
                + Counted.of(fused.earlierSweeps(), "earlier sweep"));
        fused.attention().ifPresent(report -> attention(sheet, report, format));
        return sheet;
    }

    private static void attention(Sheet sheet, AttentionReport report, OutputFormat format) {
        List<String> models = report.models();
        List<String> means = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            means.add(models.get(i) + " " + Numbers.text(report.meanAttention(i)));
            sheet.line("  attention " + HeatLine.of(report, i) + "  " + models.get(i));
        }
        sheet.line("            one mark a " + report.groups() + HeatLine.scale(report) + ", mean "
                        + String.join(", ", means))
                .fact("groups", report.groups())
                .rows("attention")
                .number("group", report.groups());
        models.forEach(m -> sheet.column(m, m));
        sheet.column("coherence", "coherence").column("entropy", "entropy");
        int shown = format == OutputFormat.TABLE ? Math.min(SHOWN_GROUPS, report.groupCount()) : report.groupCount();
        for (int group = 0; group < shown; group++) {
            List<Object> row = new ArrayList<>(List.of((long) group));
            for (int i = 0; i < models.size(); i++) {
                row.add(number(report.attention(i, group), format));
            }
            row.add(number(report.coherence(group), format));
            row.add(number(report.entropy(group), format));
            sheet.row(row.toArray());
        }
        if (shown < report.groupCount()) {
            sheet.below("… " + Units.exact(report.groupCount() - shown) + " more with --format json or csv");
        }
    }

    private static Object number(double value, OutputFormat format) {
        return format == OutputFormat.TABLE ? Numbers.text(value) : (Object) value;
    }

    /// A result beside its parents.
    static Sheet preview(FusedModel model, String name, FusedTensor tensor, Preview preview) {
        Sheet sheet = Sheet.of("fuse-preview")
                .fact("model", model.name())
                .fact("tensor", name)
                .fact("formula", tensor.formula())
                .line(name + "  " + tensor.spec())
                .line("  formula   " + tensor.formula())
                .rows("tensors")
                .column("model", "model")
                .column("dtype", "dtype")
                .real("norm", "norm")
                .real("cosine", "cosine")
                .real("distance", "distance")
                .reals("first", "first elements");
        for (Preview.Line line : preview.lines()) {
            sheet.row(
                    line.name(),
                    line.tensor().spec().dtype().name(),
                    line.norm(),
                    line.cosine(),
                    line.distance(),
                    line.first());
        }
        return sheet.below("cosine with and distance from the last line, the result; nothing was defined");
    }

    /// The tensor of `model` that `word` means. **Errors.** [Fault] `K1005` if none, or several.
    static String tensorNamed(FusedModel model, String word) {
        if (model.tensors().has(word)) {
            return word;
        }
        Selector selector = Selector.parse(List.of(word));
        List<String> matches = new ArrayList<>();
        model.tensors().tensors().forEach((name, tensor) -> {
            if (selector.test(Subject.of(name, tensor.spec()))) {
                matches.add(name);
            }
        });
        if (matches.size() == 1) {
            return matches.getFirst();
        }
        List<String> near = matches.isEmpty() ? Nearest.to(word, model.tensors().names(), 3) : matches;
        throw new Fault(
                Code.K1005,
                model.name() + " has " + (matches.isEmpty() ? "no tensor " : matches.size() + " tensors that match ")
                        + word,
                near.isEmpty()
                        ? "see: tensors " + model.name()
                        : "such as " + String.join(", ", near.subList(0, Math.min(3, near.size()))),
                "name one of them");
    }
}
