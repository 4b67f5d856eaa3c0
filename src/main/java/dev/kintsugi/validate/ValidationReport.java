package dev.kintsugi.validate;

import dev.kintsugi.architecture.Ledger;
import java.util.List;
import java.util.Optional;

/// What validation found, and the account of the consolidation.
///
/// @param architecture the class that was validated against, if it is known
/// @param checked what was looked at, such as `keys`, `shapes`, `values`
public record ValidationReport(
        Optional<String> architecture, List<String> checked, Ledger ledger, List<Finding> findings) {
    public ValidationReport {
        checked = List.copyOf(checked);
        findings = List.copyOf(findings);
    }

    public List<Finding> errors() {
        return findings.stream()
                .filter(f -> f.severity() == Finding.Severity.ERROR)
                .toList();
    }

    /// Whether nothing is wrong.
    public boolean isSound() {
        return errors().isEmpty();
    }
}
