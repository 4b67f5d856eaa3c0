package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.FileVerdict;
import dev.kintsugi.inspect.Verify;
import dev.kintsugi.validate.Finding;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// `verify PATH…`.
final class VerifyVerb extends Verb {
    VerifyVerb(Session session) {
        super(
                session,
                "verify",
                "prove",
                "Checks files against their own checksums and structure: damage that torch.load does not see",
                "verify docs/sample/actor",
                List.of(Parameter.several("PATH", ValueKind.PATH)),
                OptionSpec.flag("all", "list files that were not checked too"),
                OptionSpec.STRICT,
                OptionSpec.LIMIT);
    }

    @Override
    String more() {
        return "Every record of every archive is read and its CRC-32 compared; safetensors files have none, their"
                + " headers\n"
                + "are checked, and indexes against the files they name. With --strict a header that breaks its format"
                + " is damage,\n"
                + "though it can be read. Exit status 0: nothing damaged; 3: damage.";
    }

    @Override
    Status run(Invocation call) {
        List<Path> paths = call.words().stream().map(Opening::path).toList();
        Verify verify = session().work("verify", job -> Verify.of(paths, job));
        List<Path> files = verify.files().stream().map(FileVerdict::path).toList();
        Map<Path, List<Diagnosis>> structure = StructureCheck.of(files, call.has(OptionSpec.STRICT.name()));
        List<Diagnosis> findings = new ArrayList<>();
        Sheet sheet = Sheet.of("verify")
                .rows("files")
                .column("file", "file")
                .column("verdict", "verdict")
                .bytes("bytes", "bytes")
                .number("records", "records")
                .number("unrecorded", "without CRC")
                .dataOnly()
                .column("note", "note")
                .ifRoom();
        int sound = 0;
        int skipped = 0;
        for (FileVerdict file : verify.files()) {
            List<Diagnosis> own = findings(file, structure.getOrDefault(file.path(), List.of()));
            findings.addAll(own);
            String verdict = verdict(file, structure.get(file.path()), own);
            boolean unchecked = verdict.equals("not checked");
            skipped += unchecked ? 1 : 0;
            sound += !unchecked && own.isEmpty() ? 1 : 0;
            if (!unchecked || call.has("all") || call.console().format() != OutputFormat.TABLE) {
                sheet.row(
                        name(paths, file.path()),
                        verdict,
                        file.byteCount(),
                        (long) file.records(),
                        (long) file.unrecorded(),
                        file.note());
            }
        }
        findings.addAll(SaveGroups.check(files));
        boolean passed = findings.stream().noneMatch(Diagnosis::isError);
        sheet.fact("passed", passed)
                .fact("sound", (long) sound)
                .fact("not_checked", (long) skipped)
                .fact("findings", findings.stream().map(Diagnosis::facts).toList());
        findings.forEach(f -> f.print(sheet));
        long damaged = verify.files().size() - sound - skipped;
        sheet.below(Counted.of(sound, "file") + " sound, " + damaged + " damaged, " + skipped + " not checked");
        sheet.print(call.console());
        return passed ? Status.DONE : Status.CORRUPT;
    }

    /// What is wrong with one file.
    static List<Diagnosis> findings(FileVerdict file, List<Diagnosis> structure) {
        List<Diagnosis> findings = new ArrayList<>();
        for (FileVerdict.Finding finding : file.findings()) {
            findings.add(new Diagnosis(
                    Finding.Severity.ERROR,
                    Optional.of(finding.code()),
                    String.valueOf(file.path().getFileName()),
                    finding.what(),
                    finding.why(),
                    finding.next(),
                    finding.tensors()));
        }
        findings.addAll(structure);
        return findings;
    }

    private static String verdict(FileVerdict file, @Nullable List<Diagnosis> structure, List<Diagnosis> findings) {
        if (!findings.isEmpty()) {
            return "damaged";
        }
        return switch (file.verdict()) {
            case SOUND -> "sound";
            case NOT_RECORDED -> "no checksums";
            case DAMAGED -> "damaged";
            case SKIPPED -> structure == null ? "not checked" : "structure sound";
        };
    }

    private static String name(List<Path> roots, Path file) {
        return roots.stream()
                .filter(r -> file.startsWith(r) && Files.isDirectory(r))
                .findFirst()
                .map(r -> r.relativize(file).toString())
                .orElse(String.valueOf(file.getFileName()));
    }
}
