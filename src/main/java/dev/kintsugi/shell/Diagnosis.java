package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.validate.Finding;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// One thing that is wrong with files or worth knowing, told as a fault is.
///
/// @param code the page that explains it; a note may have none
/// @param subject the file or tensor
/// @param next the command to try; may be empty
/// @param tensors those affected, where that is known
record Diagnosis(
        Finding.Severity severity,
        Optional<Code> code,
        String subject,
        String what,
        String why,
        String next,
        List<String> tensors) {
    Diagnosis {
        tensors = List.copyOf(tensors);
    }

    static Diagnosis error(String subject, Fault fault) {
        return new Diagnosis(
                Finding.Severity.ERROR,
                Optional.of(fault.code()),
                subject,
                fault.what(),
                fault.why(),
                fault.next(),
                List.of());
    }

    static Diagnosis warning(Code code, String subject, String what, String why, String next) {
        return new Diagnosis(Finding.Severity.WARNING, Optional.of(code), subject, what, why, next, List.of());
    }

    static Diagnosis note(String subject, String what, String next) {
        return new Diagnosis(Finding.Severity.NOTE, Optional.empty(), subject, what, "", next, List.of());
    }

    boolean isError() {
        return severity == Finding.Severity.ERROR;
    }

    /// Whether it says that bytes or files are not as they were written.
    boolean isDamage() {
        return isError()
                && code.map(Code::status)
                        .filter(s -> s == Status.CORRUPT || s == Status.IO)
                        .isPresent();
    }

    /// `error[K2105]: …` and the lines below it.
    void print(Sheet sheet) {
        String label = severity.name().toLowerCase(Locale.ROOT)
                + code.map(c -> "[" + c + "]").orElse("");
        sheet.below(label + ": " + what);
        if (!tensors.isEmpty()) {
            sheet.below(
                    "  tensors: " + String.join(", ", tensors.stream().limit(4).toList())
                            + (tensors.size() > 4 ? " and " + (tensors.size() - 4) + " more" : ""));
        }
        if (!why.isEmpty()) {
            sheet.below("  why: " + why);
        }
        if (!next.isEmpty()) {
            sheet.below("  try: " + next);
        }
    }

    /// For JSON.
    Map<String, Object> facts() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("severity", severity.name().toLowerCase(Locale.ROOT));
        facts.put("code", code.map(Code::name));
        facts.put("subject", subject);
        facts.put("what", what);
        facts.put("why", why);
        facts.put("next", next);
        facts.put("tensors", tensors);
        return facts;
    }
}
