package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.WeightIndex;
import dev.kintsugi.checkpoint.huggingface.HuggingFaceFormat;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.fault.Status;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchStateDict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/// What checksums do not tell: the structure of safetensors files, indexes against the files they name, tensors
/// that two files hold. Headers are read, data is not.
final class StructureCheck {
    private static final String SAFETENSORS = ".safetensors";
    private static final String INDEX = ".index.json";

    private final MappedFiles mapped;
    private final boolean strict;
    private final Map<Path, Set<String>> held = new LinkedHashMap<>();
    private final Map<Path, List<Diagnosis>> findings = new TreeMap<>();

    private StructureCheck(MappedFiles mapped, boolean strict) {
        this.mapped = mapped;
        this.strict = strict;
    }

    /// What is wrong, by file; a file that was checked and is sound has an empty list. Breaks of a format that
    /// opening only notes are wrong if `strict`.
    static Map<Path, List<Diagnosis>> of(List<Path> files, boolean strict) {
        MappedFiles mapped = new MappedFiles();
        try {
            StructureCheck check = new StructureCheck(mapped, strict);
            files.stream().filter(f -> named(f, SAFETENSORS)).forEach(check::safetensors);
            files.stream().filter(f -> named(f, INDEX)).forEach(check::index);
            check.duplicates(files);
            return check.findings;
        } finally {
            mapped.close();
        }
    }

    private static boolean named(Path file, String ending) {
        return String.valueOf(file.getFileName()).endsWith(ending);
    }

    private void add(Path file, Fault fault) {
        if (fault.status() == Status.INTERRUPTED || fault.status() == Status.BUG) {
            throw fault;
        }
        findings.computeIfAbsent(file, f -> new ArrayList<>())
                .add(Diagnosis.error(String.valueOf(file.getFileName()), fault));
    }

    private void safetensors(Path file) {
        findings.computeIfAbsent(file, f -> new ArrayList<>());
        try {
            SafetensorsFile content = SafetensorsFile.open(mapped.open(file));
            if (!HuggingFaceFormat.holdsPieces(content)) {
                held.put(file, content.tensors().keySet());
            }
            List<Note> breaks =
                    content.notes().stream().filter(Note::breaksFormat).toList();
            if (strict && !breaks.isEmpty()) {
                add(file, Checkpoints.strictly(breaks));
            }
        } catch (Fault fault) {
            add(file, fault);
        }
    }

    private void index(Path file) {
        findings.computeIfAbsent(file, f -> new ArrayList<>());
        try {
            WeightIndex index = WeightIndex.read(file);
            Map<Path, Set<String>> named = new LinkedHashMap<>();
            for (Path part : index.files()) {
                Optional<Set<String>> names = names(part);
                if (names.isEmpty()) {
                    return;
                }
                named.put(part, names.get());
            }
            index.check(named);
        } catch (Fault fault) {
            add(file, fault);
        }
    }

    /// What `part` holds; nothing if it cannot be read, which its own check tells.
    private Optional<Set<String>> names(Path part) {
        if (named(part, SAFETENSORS)) {
            return Optional.ofNullable(held.get(part));
        }
        try {
            return Optional.of(TorchStateDict.read(TorchFile.open(mapped.open(part)), OptionalInt.empty())
                    .values()
                    .keySet());
        } catch (Fault fault) {
            return Optional.empty();
        }
    }

    /// Where no index chooses, no two files of a directory may hold one name.
    private void duplicates(List<Path> files) {
        Set<Optional<Path>> indexed = new HashSet<>();
        files.stream().filter(f -> named(f, INDEX)).forEach(f -> indexed.add(Optional.ofNullable(f.getParent())));
        Map<Optional<Path>, Map<String, Path>> first = new LinkedHashMap<>();
        Map<Path, Map<Path, TreeSet<String>>> twice = new LinkedHashMap<>();
        held.forEach((file, names) -> {
            Optional<Path> directory = Optional.ofNullable(file.getParent());
            if (indexed.contains(directory)) {
                return;
            }
            Map<String, Path> known = first.computeIfAbsent(directory, d -> new LinkedHashMap<>());
            for (String name : names) {
                Path before = known.putIfAbsent(name, file);
                if (before != null) {
                    twice.computeIfAbsent(file, f -> new LinkedHashMap<>())
                            .computeIfAbsent(before, f -> new TreeSet<>())
                            .add(name);
                }
            }
        });
        twice.forEach((file, others) -> others.forEach((other, names) -> add(file, doubled(file, other, names))));
    }

    private static Fault doubled(Path file, Path other, TreeSet<String> names) {
        return new Fault(
                Code.K4013,
                file.getFileName() + " and " + other.getFileName() + " both hold " + names.first()
                        + (names.size() == 1 ? "" : " and " + Counted.of(names.size() - 1, "other tensor")),
                "parts of two saves are mixed, and no index says which to read",
                "remove the parts of one of them, or open one file alone: open " + file.getFileName());
    }
}
