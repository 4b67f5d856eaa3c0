package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.architecture.Ledger;
import dev.kintsugi.architecture.LeftOut;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.validate.Finding;
import dev.kintsugi.validate.Reference;
import dev.kintsugi.validate.Validation;
import dev.kintsugi.validate.ValidationReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// `validate [MODEL]`.
final class ValidateVerb extends Verb {
    ValidateVerb(Session session) {
        super(
                session,
                "validate",
                "prove",
                "Checks a model against its config.json, or another model, and prints the ledger",
                "validate actor --data",
                List.of(Parameter.optional("MODEL", ValueKind.MODEL)),
                specs());
    }

    private static OptionSpec[] specs() {
        List<OptionSpec> specs = new ArrayList<>();
        specs.add(OptionSpec.value("against", "MODEL", ValueKind.MODEL, "compare names, shapes, dtypes with this one"));
        specs.add(OptionSpec.flag("data", "look at every value: NaN, infinities, replicas that differ"));
        specs.addAll(HubArguments.OPTIONS);
        return specs.toArray(OptionSpec[]::new);
    }

    @Override
    Status run(Invocation call) {
        Model model = call.words().isEmpty() ? session().model() : session().model(call.word(0));
        model.checkUnchanged();
        boolean view = model instanceof RankView;
        HubOptions asked = HubArguments.of(call);
        HubOptions options = view && !call.has("keys") ? asked.withKeys(HubOptions.Keys.AS_IS) : asked;
        Optional<Checkpoint> replicas = view ? Optional.empty() : model.checkpoint();
        HubModel hub = model.hub(options);
        ValidationReport report = session()
                .reading("validate", List.of(model), job -> Validation.run(hub, replicas, call.has("data"), job));
        List<Finding> findings = new ArrayList<>(report.findings());
        call.value("against").ifPresent(name -> {
            StateDict reference = session().model(name).tensors();
            findings.addAll(Reference.compare(model.tensors(), reference, name));
        });
        boolean sound = findings.stream().noneMatch(f -> f.severity() == Finding.Severity.ERROR);
        sheet(model, report, findings, sound).print(call.console());
        return sound ? Status.DONE : Status.DIFFERENT;
    }

    private static Sheet sheet(Model model, ValidationReport report, List<Finding> findings, boolean sound) {
        Ledger ledger = report.ledger();
        Sheet sheet = Sheet.of("validate")
                .fact("model", model.name())
                .fact("valid", sound)
                .fact("architecture", report.architecture().orElse(""))
                .fact("checked", report.checked())
                .fact("ledger", ledgerFacts(ledger))
                .rows("findings")
                .column("severity", "severity")
                .column("code", "code")
                .column("subject", "subject")
                .column("what", "what");
        String architecture = report.architecture().map(a -> " as " + a).orElse("");
        sheet.line(model.name() + architecture + ": "
                + (sound ? "valid" : Counted.of(errors(findings), "problem")) + " · checked "
                + (report.checked().isEmpty() ? "the ledger only" : String.join(", ", report.checked())));
        LedgerText.lines(ledger).forEach(l -> sheet.line("  " + l));
        for (Finding finding : findings) {
            sheet.row(
                    finding.severity().name().toLowerCase(Locale.ROOT),
                    finding.code().name(),
                    finding.subject(),
                    finding.what());
        }
        return sheet;
    }

    private static int errors(List<Finding> findings) {
        return (int) findings.stream()
                .filter(f -> f.severity() == Finding.Severity.ERROR)
                .count();
    }

    private static Map<String, Object> ledgerFacts(Ledger ledger) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("tensors_in", ledger.tensorsIn());
        facts.put("parameters_in", ledger.elementsIn());
        facts.put("bytes_in", ledger.bytesIn());
        facts.put("tensors_out", ledger.tensorsOut());
        facts.put("parameters_out", ledger.elementsOut());
        facts.put("bytes_out", ledger.bytesOut());
        facts.put("adapter_tensors", ledger.adapterTensors());
        facts.put("renamed", ledger.renamed());
        facts.put("split", ledger.split());
        facts.put("tied", ledger.tied());
        facts.put("left_out", ledger.leftOut().stream().map(LeftOut::stored).toList());
        return facts;
    }
}
