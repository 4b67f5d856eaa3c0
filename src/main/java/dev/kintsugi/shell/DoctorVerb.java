package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.validate.Finding;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/// `doctor PATH`.
final class DoctorVerb extends Verb {
    DoctorVerb(Session session) {
        super(
                session,
                "doctor",
                "prove",
                "Runs every check there is on a directory and says what is wrong, worst first, with the next command",
                "doctor docs/sample/actor",
                List.of(Parameter.required("PATH", ValueKind.PATH)),
                OptionSpec.flag("quick", "leave out what reads whole files: checksums, values, replicas and ties"));
    }

    @Override
    String more() {
        return "No model needs to be open. Exit status 0: no error found; 1: errors, but the files are what was"
                + " written;\n"
                + "3: files are missing or damaged.";
    }

    @Override
    Status run(Invocation call) {
        Path path = Opening.path(call.word(0));
        if (!Files.exists(path)) {
            throw new Fault(Code.K1010, path + ": no such file or directory", "nothing is there", "check the path");
        }
        Doctor doctor = session().work("doctor", job -> Doctor.examine(path, call.has("quick"), job));
        List<Diagnosis> findings = doctor.findings();
        long errors = count(findings, Finding.Severity.ERROR);
        long warnings = count(findings, Finding.Severity.WARNING);
        long notes = count(findings, Finding.Severity.NOTE);
        Sheet sheet = Sheet.of("doctor")
                .fact("path", path.toString())
                .fact("healthy", errors == 0)
                .fact("errors", errors)
                .fact("warnings", warnings)
                .fact("notes", notes)
                .fact("checked", doctor.checked());
        if (call.console().format() == OutputFormat.TABLE) {
            sheet.line(path + ": " + (errors == 0 ? "no error" : Counted.of(errors, "error")) + ", "
                    + Counted.of(warnings, "warning") + ", " + Counted.of(notes, "note"));
            doctor.summary().ifPresent(sheet::line);
            findings.forEach(f -> f.print(sheet));
            sheet.below("checked: " + String.join(", ", doctor.checked()));
        } else {
            rows(sheet, findings);
        }
        sheet.print(call.console());
        if (findings.stream().anyMatch(Diagnosis::isDamage)) {
            return Status.CORRUPT;
        }
        return errors == 0 ? Status.DONE : Status.DIFFERENT;
    }

    private static long count(List<Diagnosis> findings, Finding.Severity severity) {
        return findings.stream().filter(f -> f.severity() == severity).count();
    }

    private static void rows(Sheet sheet, List<Diagnosis> findings) {
        sheet.rows("findings")
                .column("severity", "severity")
                .column("code", "code")
                .column("subject", "subject")
                .column("what", "what")
                .column("why", "why")
                .column("next", "next")
                .column("tensors", "tensors");
        findings.forEach(f -> sheet.row(
                f.severity().name().toLowerCase(Locale.ROOT),
                f.code().map(Code::name),
                f.subject(),
                f.what(),
                f.why(),
                f.next(),
                f.tensors()));
    }
}
