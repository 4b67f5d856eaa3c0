package dev.kintsugi.checkpoint.torchbin;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Joining;
import dev.kintsugi.checkpoint.Joining.PieceSource;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.WeightIndex;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.DTensor;
import dev.kintsugi.torch.ShardedTensor;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
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
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Opens models that one process saved whole with `torch.save`.
public final class TorchBinFormat implements CheckpointFormat {
    private static final String INDEX = "pytorch_model.bin.index.json";
    private static final Pattern PART = Pattern.compile("pytorch_model(-\\d{5}-of-\\d{5})?\\.bin");
    private static final Pattern RANK_FILE = Pattern.compile(".*_world_size_\\d+_rank_\\d+\\.pt");
    private static final Pattern SINGLE = Pattern.compile(".*\\.(bin|pt|pth)");

    @Override
    public String name() {
        return "torch";
    }

    @Override
    public boolean recognises(Path path) {
        String name = String.valueOf(path.getFileName());
        if (Files.isRegularFile(path)) {
            return name.equals(INDEX)
                    || SINGLE.matcher(name).matches()
                            && !RANK_FILE.matcher(name).matches();
        }
        return Files.isRegularFile(path.resolve(INDEX)) || !parts(path).isEmpty();
    }

    private static List<Path> parts(Path directory) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> list = Files.list(directory)) {
            return list.filter(
                            p -> PART.matcher(String.valueOf(p.getFileName())).matches())
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
        List<Path> directories = new ArrayList<>();
        List<Path> files = new ArrayList<>();
        Optional<WeightIndex> index = Optional.empty();
        for (Path path : paths) {
            boolean file = Files.isRegularFile(path);
            Path directory = file
                    ? Optional.ofNullable(path.toAbsolutePath().getParent()).orElse(path)
                    : path;
            directories.add(directory);
            Path indexPath = directory.resolve(INDEX);
            if (file && !String.valueOf(path.getFileName()).equals(INDEX)) {
                files.add(path);
            } else if (Files.isRegularFile(indexPath)) {
                WeightIndex read = WeightIndex.read(indexPath);
                index = Optional.of(read);
                files.addAll(read.files());
            } else {
                files.addAll(parts(path));
            }
        }
        List<SequencedMap<String, JoinedTensor>> read = Parallel.map(job, files, f -> readFile(mapped.open(f)));
        return assemble(directories, files, read, index, options, mapped);
    }

    private static Checkpoint assemble(
            List<Path> directories,
            List<Path> paths,
            List<SequencedMap<String, JoinedTensor>> read,
            Optional<WeightIndex> index,
            OpenOptions options,
            MappedFiles mapped) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>();
        List<ShardFile> files = new ArrayList<>();
        Map<Path, Set<String>> held = new LinkedHashMap<>();
        for (int i = 0; i < paths.size(); i++) {
            MappedFile file = mapped.open(paths.get(i));
            held.put(paths.get(i), read.get(i).keySet());
            files.add(new ShardFile(
                    file.path(),
                    OptionalInt.empty(),
                    read.get(i).size(),
                    file.byteCount(),
                    file.modifiedMillis(),
                    "ok"));
            read.get(i).forEach((name, joined) -> {
                if (tensors.put(name, joined.tensor()) != null) {
                    throw new Fault(
                            Code.K4013,
                            file.name() + ": " + name + " is in another file too",
                            "parts of two saves are mixed",
                            "remove the parts of one of them");
                }
                layouts.put(name, joined.layout());
            });
        }
        index.ifPresent(i -> i.check(held));
        StateDict state = StateDict.of(tensors);
        return new Checkpoint(
                "torch",
                directories,
                1,
                Optional.empty(),
                files,
                state,
                layouts,
                new LinkedHashMap<>(),
                Sidecars.find(directories, options),
                index.flatMap(i -> i.sizeNote(state.byteCount())).map(List::of).orElse(List.of()),
                List.of(),
                Optional.empty(),
                mapped);
    }

    private static SequencedMap<String, JoinedTensor> readFile(MappedFile file) {
        try {
            SequencedMap<String, JoinedTensor> tensors = new LinkedHashMap<>();
            TorchStateDict dict = TorchStateDict.read(TorchFile.open(file), OptionalInt.empty());
            dict.values().forEach((name, value) -> {
                switch (value) {
                    case TorchValue.Plain plain -> tensors.put(name, whole(name, file, plain.tensor()));
                    case DTensor piece -> throw onePiece(name);
                    case ShardedTensor piece -> throw onePiece(name);
                    case TorchValue.Other other -> {}
                }
            });
            return tensors;
        } catch (Fault fault) {
            throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
        }
    }

    private static Fault onePiece(String name) {
        return new Fault(
                Code.K3001,
                name + " is one rank's piece of a tensor",
                "the file is one of several that a job with several ranks wrote",
                "open the directory with all of them, under the names they were saved with");
    }

    private static JoinedTensor whole(String name, MappedFile file, StridedTensor tensor) {
        Joining joining = new Joining(name, "plain", tensor.spec());
        joining.add(
                Region.whole(tensor.spec().shape()),
                tensor,
                new PieceSource(
                        -1,
                        file.path(),
                        tensor.storage().record(),
                        tensor.storage().fileOffset() + tensor.byteOffset()));
        return joining.join(Optional.empty(), List.of());
    }
}
