package dev.kintsugi.checkpoint.colossalai;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.torchbin.TorchBinFormat;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Opens folders of ColossalAI with `.bin` files.
public final class ColossalAiFormat implements CheckpointFormat {
    private static final String INDEX = "pytorch_model.bin.index.json";
    private static final String STAGE_INDEXES = "tmp_index_files";
    private static final Pattern SHARD = Pattern.compile("pytorch_model-(stage-\\d{5}-shard-)?\\d{5}\\.bin");

    @Override
    public String name() {
        return "colossalai";
    }

    @Override
    public boolean recognises(Path path) {
        return Files.isDirectory(path)
                && names(path).stream().anyMatch(n -> SHARD.matcher(n).matches());
    }

    /// Opens the one directory of `paths`.
    ///
    /// **Errors.** [Fault] `K1003` for several directories, `K2304` without an index, and what
    /// [TorchBinFormat] finds.
    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        Path directory = paths.getFirst();
        if (paths.size() > 1) {
            throw new Fault(
                    Code.K1003,
                    "several directories for one ColossalAI checkpoint",
                    "its files are found through one " + INDEX,
                    "copy all files beside the index");
        }
        List<String> names = names(directory);
        if (!names.contains(INDEX)) {
            throw noIndex(directory, names.contains(STAGE_INDEXES));
        }
        Checkpoint plain = new TorchBinFormat().open(paths, options, job);
        Set<String> read = plain.files().stream()
                .map(f -> String.valueOf(f.path().getFileName()))
                .collect(Collectors.toSet());
        List<Note> notes = new ArrayList<>(plain.notes());
        if (names.contains(STAGE_INDEXES)) {
            notes.add(Note.information(STAGE_INDEXES + " is left over from a save that was interrupted; " + INDEX
                    + " names these files: check that they are of one save with: shards"));
        }
        List<String> ignored = new ArrayList<>(plain.ignored());
        names.stream()
                .filter(n -> SHARD.matcher(n).matches() && !read.contains(n))
                .forEach(n -> ignored.add(n + " (not in " + INDEX + ")"));
        return new Checkpoint(
                "ColossalAI",
                plain.directories(),
                plain.worldSize(),
                plain.mesh(),
                plain.files(),
                plain.tensors(),
                plain.layouts(),
                plain.ranks(),
                plain.sidecars(),
                notes,
                ignored,
                plain.writtenBy(),
                plain.resources());
    }

    private static Fault noIndex(Path directory, boolean interrupted) {
        if (interrupted) {
            return new Fault(
                    Code.K2304,
                    directory + ": " + STAGE_INDEXES + " but no " + INDEX,
                    "the save was interrupted before the indexes of the pipeline stages were joined, so shards may be"
                            + " missing",
                    "open an earlier save");
        }
        return new Fault(
                Code.K2304,
                directory + ": shards of ColossalAI without " + INDEX,
                "their names do not say how many there are, only the index does",
                "copy " + INDEX + " too");
    }

    private static List<String> names(Path directory) {
        try (Stream<Path> list = Files.list(directory)) {
            return list.map(p -> String.valueOf(p.getFileName())).sorted().toList();
        } catch (IOException e) {
            return List.of();
        }
    }
}
