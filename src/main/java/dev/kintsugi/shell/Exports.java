package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.export.CastLoss;
import dev.kintsugi.export.ExportOptions;
import dev.kintsugi.export.ExportPlan;
import dev.kintsugi.export.ExportReport;
import dev.kintsugi.export.Exporter;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.validate.Finding;
import dev.kintsugi.validate.Validation;
import dev.kintsugi.validate.ValidationReport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Validates and writes a model, as `export` and `merge` ask for it.
final class Exports {
    static final List<OptionSpec> OPTIONS = options();
    private static final Pattern SIZE = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([kmgt]?i?)b?");

    private Exports() {}

    private static List<OptionSpec> options() {
        List<OptionSpec> options = new ArrayList<>(HubArguments.OPTIONS);
        options.add(OptionSpec.choice(
                "dtype",
                List.of("keep", "bf16", "f16", "f32", "f64"),
                "what floating point tensors are cast to; keep"));
        options.add(OptionSpec.value(
                "max-shard-size", "5GB", ValueKind.TEXT, "the most a weight file holds, of 1000 (GB) or 1024 (GiB)"));
        options.add(OptionSpec.flag("dry-run", "plan, check and print; write nothing"));
        options.add(OptionSpec.flag("replace", "take the place of an existing target, when complete"));
        options.add(OptionSpec.flag("resume", "keep the finished files of an export that was killed"));
        options.add(OptionSpec.flag("plain", "a fusion's files without the recipe and sources in their metadata"));
        options.add(OptionSpec.value("threads", "N", ValueKind.TEXT, "threads to use; one a processor"));
        return List.copyOf(options);
    }

    /// Writes `model` to `target`. **Errors.** [Fault] `K4004` and others where it must not be written.
    static Status write(Model model, Path target, HubOptions hubOptions, Invocation call) {
        Session session = call.session();
        call.number("threads", 1).ifPresent(n -> session.threads((int) Math.min(n, 256)));
        model.checkUnchanged();
        refuseHoles(model);
        HubModel hub = model.hub(hubOptions);
        ValidationReport report = session.work("validate", job -> Validation.run(hub, model.checkpoint(), false, job));
        refuse(model, report, session.console());
        ExportPlan plan = ExportPlan.of(
                hub,
                model.weightsName(),
                new ExportPlan.Beside(model.texts(), model.sidecars(), model.tokenizer()),
                target,
                exportOptions(model, call));
        if (plan.tensorCount() == 0) {
            throw new Fault(
                    Code.K4004,
                    model.name() + " gives no tensor to write",
                    "nothing is left after " + hubOptions.lora().name().toLowerCase(Locale.ROOT),
                    "look at it with: tensors " + model.name());
        }
        Exporter.Sources sources = sources(model);
        if (call.has("dry-run")) {
            Exporter.check(plan, sources);
            ExportSheets.plan(plan, report).print(session.console());
            return Status.DONE;
        }
        ExportReport written = session.work("export", job -> Exporter.write(plan, sources, job));
        plan.notes().forEach(session.console()::note);
        noteLoss(written.loss(), session.console());
        ExportSheets.written(written, report).print(session.console());
        return Status.DONE;
    }

    /// **Errors.** [Fault] `K3001` where pieces of tensors are missing.
    static void refuseHoles(Model model) {
        if (model.checkpoint().isEmpty()) {
            return;
        }
        Checkpoint checkpoint = model.checkpoint().get();
        List<String> holes = checkpoint.holes();
        if (!holes.isEmpty()) {
            throw new Fault(
                    Code.K3001,
                    model.name() + " has holes: ranks " + Ranks.text(ModelText.absentRanks(checkpoint)) + " of "
                            + checkpoint.worldSize() + " are missing, " + holes.size()
                            + " tensors are incomplete, first " + holes.getFirst(),
                    "it was opened with --allow-missing, to look at",
                    "copy the missing ranks, and open it again");
        }
    }

    private static void refuse(Model model, ValidationReport report, Console console) {
        if (report.isSound()) {
            return;
        }
        List<Finding> errors = report.errors();
        List<Finding> told = errors.stream().filter(f -> f.code() != Code.K4010).toList();
        told.stream().limit(20).forEach(f -> console.message("  " + Escape.text(f.subject() + ": " + f.what())));
        if (told.size() > 20) {
            console.err().println("  … and " + (told.size() - 20) + " more");
        }
        Code code = errors.getFirst().code() == Code.K4010 ? Code.K4010 : Code.K4004;
        String what = code == Code.K4010
                ? model.name() + ": config.json was not found"
                : model.name() + ": " + Counted.of(errors.size(), "problem") + " would make the output unloadable";
        throw new Fault(
                code,
                what,
                code == Code.K4010
                        ? "without it names, shapes and ties cannot be judged"
                        : errors.getFirst().subject() + " " + errors.getFirst().what(),
                code == Code.K4010
                        ? "give its directory with --sidecars DIR, or write the names as they are with --keys as-is"
                        : errors.getFirst()
                                .next()
                                .orElse("mend the source or config.json, or write the names as they are with --keys"
                                        + " as-is"));
    }

    private static ExportOptions exportOptions(Model model, Invocation call) {
        Optional<DType> dtype =
                call.value("dtype").filter(d -> !d.equalsIgnoreCase("keep")).flatMap(DType::parse);
        long max = call.value("max-shard-size").map(Exports::bytes).orElse(ExportOptions.DEFAULT_MAX_SHARD_BYTES);
        return new ExportOptions(dtype, max, call.has("replace"), call.has("resume"), metadata(model, call));
    }

    /// How a fusion was made, for its files to say; nothing for a checkpoint, whose files are those that
    /// `save_pretrained` would write.
    private static Map<String, String> metadata(Model model, Invocation call) {
        if (!(model instanceof FusedModel) || call.has("plain")) {
            return Map.of();
        }
        return Map.of("kintsugi.recipe", Lineage.recipe(model), "kintsugi.sources", Lineage.sources(model));
    }

    static long bytes(String text) {
        Matcher matcher = SIZE.matcher(text.toLowerCase(Locale.ROOT).strip());
        if (matcher.matches()) {
            String unit = matcher.group(2);
            long base = unit.endsWith("i") ? 1024 : 1000;
            int power = unit.isEmpty() ? 0 : "kmgt".indexOf(unit.charAt(0)) + 1;
            double bytes = Double.parseDouble(matcher.group(1)) * Math.pow(base, power);
            if (power >= 0 && bytes >= 1 && bytes < 1e18) {
                return (long) bytes;
            }
        }
        throw new Fault(
                Code.K1003,
                "--max-shard-size " + text + ": no size",
                "a size is a number with kB, MB, GB, TB (of 1000) or KiB, MiB, GiB, TiB (of 1024)",
                "write for example --max-shard-size 5GB");
    }

    private static Exporter.Sources sources(Model model) {
        return new Exporter.Sources(model.directories(), Lineage.fingerprints(model), model::checkUnchanged);
    }

    private static void noteLoss(CastLoss loss, Console console) {
        if (loss.values() == 0) {
            return;
        }
        String text = String.format(
                Locale.ROOT,
                "cast %,d values: %,d overflowed, %,d underflowed to zero, largest relative error %.3g",
                loss.values(),
                loss.overflowed(),
                loss.underflowed(),
                loss.largestRelativeError());
        if (loss.overflowed() > 0) {
            console.warn(text);
        } else {
            console.note(text);
        }
    }
}
