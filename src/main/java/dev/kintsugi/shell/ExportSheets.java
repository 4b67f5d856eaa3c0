package dev.kintsugi.shell;

import dev.kintsugi.export.ExportPlan;
import dev.kintsugi.export.ExportReport;
import dev.kintsugi.validate.ValidationReport;
import java.util.Locale;

/// Reports about what will be, or was, written.
final class ExportSheets {
    private ExportSheets() {}

    static Sheet plan(ExportPlan plan, ValidationReport validation) {
        Sheet sheet = Sheet.of("export-plan")
                .fact("target", plan.target().toString())
                .fact("tensors", (long) plan.tensorCount())
                .fact("bytes", plan.byteCount())
                .rows("files")
                .column("file", "file")
                .number("tensors", "tensors")
                .number("bytes", "bytes");
        LedgerText.lines(validation.ledger()).forEach(sheet::line);
        plan.lines().forEach(l -> sheet.row(l.name(), (long) l.tensors(), l.byteCount()));
        return sheet.below(
                "would write " + plan.target() + ": " + Counted.of(plan.lines().size(), "file") + ", "
                        + Counted.of(plan.tensorCount(), "tensor") + ", " + Units.bytes(plan.byteCount()));
    }

    static Sheet written(ExportReport report, ValidationReport validation) {
        double seconds = report.nanos() / 1e9;
        Sheet sheet = Sheet.of("export")
                .fact("target", report.target().toString())
                .fact("files", report.files())
                .fact("tensors", report.tensors())
                .fact("bytes", report.byteCount())
                .fact("seconds", seconds)
                .fact("kept_files", report.kept())
                .fact("architecture", validation.architecture().orElse(""))
                .fact("notes", report.notes());
        String kept = report.kept() > 0 ? " (" + Counted.of(report.kept(), "file") + " kept)" : "";
        return sheet.line(String.format(
                Locale.ROOT,
                "wrote %s: %s%s, %s, %s in %s (%s/s), read back and checked",
                report.target(),
                Counted.of(report.files(), "file"),
                kept,
                Counted.of(report.tensors(), "tensor"),
                Units.bytes(report.byteCount()),
                Units.seconds(seconds),
                Units.bytes((long) (report.byteCount() / Math.max(seconds, 1e-9)))));
    }
}
