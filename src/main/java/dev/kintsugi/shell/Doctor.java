package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.FileVerdict;
import dev.kintsugi.inspect.Verify;
import dev.kintsugi.validate.Finding;
import dev.kintsugi.validate.Validation;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Every check of a directory, one after the other; none needs another to succeed.
final class Doctor {
    private static final int MAX_DEPTH = 6;
    private static final List<String> SIDECARS = List.of(".json", ".model", ".jinja", ".txt");
    private static final List<String> UNFINISHED = List.of(".tmp", ".incomplete", ".part", ".partial", ".lock");

    private final Path path;
    private final boolean quick;
    private final Job job;
    private final List<Diagnosis> findings = new ArrayList<>();
    private final List<String> checked = new ArrayList<>();
    private Optional<String> summary = Optional.empty();

    private Doctor(Path path, boolean quick, Job job) {
        this.path = path;
        this.quick = quick;
        this.job = job;
    }

    static Doctor examine(Path path, boolean quick, Job job) {
        Doctor doctor = new Doctor(path, quick, job);
        List<Path> files = doctor.files();
        doctor.names(files);
        doctor.structure(files);
        doctor.open();
        doctor.findings.sort(Comparator.comparing(Diagnosis::severity));
        return doctor;
    }

    /// What was found, the worst first.
    List<Diagnosis> findings() {
        return List.copyOf(findings);
    }

    List<String> checked() {
        return List.copyOf(checked);
    }

    /// What the checkpoint is, if it opens.
    Optional<String> summary() {
        return summary;
    }

    private List<Path> files() {
        try (Stream<Path> walk = Files.walk(path, MAX_DEPTH)) {
            return walk.filter(Files::isRegularFile).sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            throw new Fault(
                    Code.K5003,
                    path + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the permissions of the directory",
                    e);
        }
    }

    /// What names and first bytes tell.
    private void names(List<Path> files) {
        checked.add(Counted.of(files.size(), "file"));
        for (Path file : files) {
            String name = String.valueOf(file.getFileName());
            if (UNFINISHED.stream().anyMatch(name::endsWith)) {
                findings.add(Diagnosis.warning(
                        Code.K2003,
                        name,
                        name + " was left behind by a save or a download that did not finish",
                        "the process died, or is still running",
                        "wait for it, or save or download again"));
            } else if (SIDECARS.stream().anyMatch(name::endsWith)) {
                foreign(file, name);
            }
        }
    }

    private void foreign(Path file, String name) {
        String start;
        try (InputStream in = Files.newInputStream(file)) {
            start = new String(in.readNBytes(64), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            findings.add(Diagnosis.error(
                    name, new Fault(Code.K5003, name + ": cannot be read", e.toString(), "check its permissions", e)));
            return;
        }
        String lower = start.stripLeading().toLowerCase(Locale.ROOT);
        String what = "";
        String next = "download it again";
        if (start.isEmpty()) {
            what = "is empty";
            next = "copy it again";
        } else if (start.startsWith("version https://git-lfs")) {
            what = "is a Git LFS pointer, not the file itself";
            next = "fetch the file with: git lfs pull";
        } else if (lower.startsWith("<!doctype") || lower.startsWith("<html")) {
            what = "is a web page, not the file itself";
        }
        if (!what.isEmpty()) {
            findings.add(Diagnosis.error(
                    name, new Fault(Code.K2003, name + ": " + what, "the download or the copy did not finish", next)));
        }
    }

    private void structure(List<Path> files) {
        Map<Path, List<Diagnosis>> structure = StructureCheck.of(files, false);
        structure.values().forEach(findings::addAll);
        checked.add("structure");
        findings.addAll(SaveGroups.check(files));
        checked.add("save times and sizes");
        if (quick) {
            return;
        }
        Verify verify = Verify.of(List.of(path), job);
        verify.files().forEach(f -> findings.addAll(VerifyVerb.findings(f, List.of())));
        long records = verify.files().stream().mapToLong(FileVerdict::records).sum();
        checked.add(records == 0 ? "no checksums, for there are none" : Counted.of(records, "checksum"));
        long unrecorded =
                verify.files().stream().mapToLong(FileVerdict::unrecorded).sum();
        if (unrecorded > 0) {
            findings.add(Diagnosis.note(
                    "", Counted.of(unrecorded, "record") + " without a checksum: nothing is known of their data", ""));
        }
    }

    private void open() {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(path), OpenOptions.defaults(), job)) {
            checked.add("ranks and placements");
            opened(checkpoint);
        } catch (Fault fault) {
            rethrow(fault);
            if (findings.stream().noneMatch(f -> says(f, fault))) {
                findings.add(Diagnosis.error(String.valueOf(path.getFileName()), fault));
            }
            partly();
        }
    }

    /// Whether `finding` says of the same file what `fault` does.
    private static boolean says(Diagnosis finding, Fault fault) {
        boolean sameFile = !finding.subject().isEmpty() && fault.what().startsWith(finding.subject() + ":");
        return finding.what().equals(fault.what())
                || sameFile && finding.code().filter(fault.code()::equals).isPresent();
    }

    private static void rethrow(Fault fault) {
        if (fault.status() == Status.INTERRUPTED || fault.status() == Status.BUG) {
            throw fault;
        }
    }

    private void opened(Checkpoint checkpoint) {
        checkpoint.notes().stream()
                .map(Note::text)
                .filter(n -> !n.startsWith("mixed save times"))
                .forEach(n -> findings.add(Diagnosis.note("", n, "")));
        try {
            OpenedModel model = new OpenedModel(Opening.nameOf(path), "doctor", checkpoint);
            summary = Optional.of(ModelText.summary(model));
            HubModel hub = model.hub();
            var report = quick
                    ? Validation.structure(hub, Optional.of(checkpoint), job)
                    : Validation.run(hub, Optional.of(checkpoint), true, job);
            checked.addAll(report.checked());
            report.findings().forEach(this::add);
        } catch (Fault fault) {
            rethrow(fault);
            findings.add(Diagnosis.error(String.valueOf(path.getFileName()), fault));
        }
    }

    private void add(Finding finding) {
        String next = finding.severity() == Finding.Severity.NOTE
                ? ""
                : "explain " + finding.code() + ", or look at it: open " + Tokenizer.quote(path.toString());
        findings.add(new Diagnosis(
                finding.severity(),
                Optional.of(finding.code()),
                finding.subject(),
                finding.subject() + ": " + finding.what(),
                "",
                next,
                List.of()));
    }

    /// What can still be read where ranks are missing or damaged.
    private void partly() {
        OpenOptions options = new OpenOptions(Optional.empty(), Optional.empty(), Optional.empty(), true);
        try (Checkpoint checkpoint = Checkpoints.open(List.of(path), options, job)) {
            int holes = checkpoint.holes().size();
            List<Integer> absent = ModelText.absentRanks(checkpoint);
            findings.add(Diagnosis.note(
                    "",
                    "without " + (absent.size() == 1 ? "rank " : "ranks ") + Ranks.text(absent) + " of "
                            + checkpoint.worldSize()
                            + ", " + Counted.of(checkpoint.tensors().size(), "tensor") + " can still be read whole, "
                            + holes + " have holes",
                    "open " + Tokenizer.quote(path.toString()) + " --allow-missing"));
        } catch (Fault fault) {
            rethrow(fault);
        }
    }
}
