package dev.kintsugi.checkpoint.huggingface;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.WeightIndex;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;

/// Opens models in safetensors files.
public final class HuggingFaceFormat implements CheckpointFormat {
    private static final String SUFFIX = ".safetensors";
    private static final String INDEX_SUFFIX = ".safetensors.index.json";

    @Override
    public String name() {
        return "safetensors";
    }

    /// Whether `file` holds pieces of tensors, of which other files hold others under the same names.
    public static boolean holdsPieces(SafetensorsFile file) {
        return DcpShards.isOne(file);
    }

    @Override
    public boolean recognises(Path path) {
        String name = String.valueOf(path.getFileName());
        if (Files.isRegularFile(path)) {
            return name.endsWith(SUFFIX) || name.endsWith(INDEX_SUFFIX);
        }
        return !list(path, SUFFIX).isEmpty() || !list(path, INDEX_SUFFIX).isEmpty();
    }

    private static List<Path> list(Path directory, String suffix) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> list = Files.list(directory)) {
            return list.filter(p -> String.valueOf(p.getFileName()).endsWith(suffix) && Files.isRegularFile(p))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        MappedFiles mapped = new MappedFiles();
        try {
            return open(paths, options, job, mapped);
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    private static Checkpoint open(List<Path> paths, OpenOptions options, Job job, MappedFiles mapped) {
        Found found = new Found();
        paths.forEach(found::add);
        List<SafetensorsFile> opened = Parallel.map(job, found.files, f -> SafetensorsFile.open(mapped.open(f)));
        SequencedMap<String, Tensor> tensors = LinkedHashMap.newLinkedHashMap(
                opened.stream().mapToInt(f -> f.tensors().size()).sum());
        List<ShardFile> files = new ArrayList<>();
        List<Note> notes = new ArrayList<>();
        Map<Path, Set<String>> held = new LinkedHashMap<>();
        DcpShards shards = new DcpShards();
        boolean sharded = opened.stream().anyMatch(DcpShards::isOne);
        for (int i = 0; i < opened.size(); i++) {
            MappedFile file = mapped.open(found.files.get(i));
            SafetensorsFile content = opened.get(i);
            held.put(found.files.get(i), content.tensors().keySet());
            notes.addAll(content.notes());
            files.add(new ShardFile(
                    file.path(),
                    OptionalInt.empty(),
                    content.tensors().size(),
                    file.byteCount(),
                    file.modifiedMillis(),
                    "ok"));
            if (sharded) {
                shards.add(file, content);
                continue;
            }
            content.tensors().forEach((name, tensor) -> {
                if (tensors.put(name, tensor) != null) {
                    throw new Fault(
                            Code.K4013,
                            file.name() + ": " + name + " is in another file too",
                            "parts of two saves are mixed",
                            "remove the parts of one of them, or open one file alone");
                }
            });
        }
        found.indexes.forEach(index -> index.check(held));
        Map<String, Layout> layouts = sharded ? new LinkedHashMap<>() : WholeLayouts.of(tensors);
        if (sharded) {
            notes.add(Note.information(DcpShards.NOTE));
            shards.join().forEach((name, joined) -> {
                tensors.put(name, joined.tensor());
                layouts.put(name, joined.layout());
            });
        }
        StateDict state = StateDict.backedBy(tensors);
        if (found.indexes.size() == 1 && !sharded) {
            found.indexes.getFirst().sizeNote(state.byteCount()).ifPresent(notes::add);
        }
        return new Checkpoint(
                sharded ? "DCP safetensors" : "safetensors",
                found.directories,
                1,
                Optional.empty(),
                files,
                state,
                layouts,
                new LinkedHashMap<>(),
                Sidecars.find(found.directories, options),
                notes,
                found.ignored,
                Optional.empty(),
                mapped);
    }

    /// The files to open, and why these.
    private static final class Found {
        private final List<Path> directories = new ArrayList<>();
        private final List<Path> files = new ArrayList<>();
        private final List<WeightIndex> indexes = new ArrayList<>();
        private final List<String> ignored = new ArrayList<>();

        void add(Path path) {
            String name = String.valueOf(path.getFileName());
            if (Files.isRegularFile(path)) {
                directories.add(Optional.ofNullable(path.getParent()).orElse(Path.of("")));
                if (name.endsWith(INDEX_SUFFIX)) {
                    index(path);
                } else {
                    files.add(path);
                }
                return;
            }
            directories.add(path);
            Path standard = path.resolve("model" + INDEX_SUFFIX);
            List<Path> found = list(path, INDEX_SUFFIX);
            Path single = path.resolve("model" + SUFFIX);
            if (Files.isRegularFile(standard)) {
                index(standard);
            } else if (Files.isRegularFile(single)) {
                files.add(single);
            } else if (found.size() == 1) {
                index(found.getFirst());
            } else {
                files.addAll(list(path, SUFFIX));
            }
            list(path, SUFFIX).stream()
                    .filter(p -> !files.contains(p))
                    .forEach(p -> ignored.add(p.getFileName() + " (not named by the index)"));
        }

        private void index(Path path) {
            WeightIndex index = WeightIndex.read(path);
            indexes.add(index);
            files.addAll(index.files());
        }
    }
}
