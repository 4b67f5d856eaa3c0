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
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
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
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Opens models that one process saved whole with `torch.save`.
public final class TorchBinFormat implements CheckpointFormat {
    private static final String INDEX = "pytorch_model.bin.index.json";
    private static final Pattern PART = Pattern.compile("pytorch_model(-\\d{5}-of-\\d{5})?\\.bin");
    private static final Pattern SINGLE = Pattern.compile(".*\\.(bin|pt|pth)");
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    @Override
    public String name() {
        return "torch";
    }

    @Override
    public boolean recognises(Path path) {
        String name = String.valueOf(path.getFileName());
        if (Files.isRegularFile(path)) {
            return SINGLE.matcher(name).matches() || name.equals(INDEX);
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
        Optional<Map<String, String>> index = Optional.empty();
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
                Map<String, String> weights = readIndex(indexPath);
                index = Optional.of(weights);
                for (String name : new TreeSet<>(weights.values())) {
                    files.add(requirePart(directory, name));
                }
            } else {
                files.addAll(parts(path));
            }
        }
        List<SequencedMap<String, JoinedTensor>> read = Parallel.map(job, files, f -> readFile(mapped.open(f)));
        return assemble(directories, files, read, index, options, mapped);
    }

    private static Path requirePart(Path directory, String name) {
        Path part = directory.resolve(name);
        if (!Files.isRegularFile(part)) {
            throw new Fault(
                    Code.K3001,
                    part + " is missing, though " + INDEX + " names it",
                    "it was not copied or not downloaded",
                    "copy it beside the index");
        }
        return part;
    }

    private static Checkpoint assemble(
            List<Path> directories,
            List<Path> paths,
            List<SequencedMap<String, JoinedTensor>> read,
            Optional<Map<String, String>> index,
            OpenOptions options,
            MappedFiles mapped) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>();
        List<ShardFile> files = new ArrayList<>();
        for (int i = 0; i < paths.size(); i++) {
            MappedFile file = mapped.open(paths.get(i));
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
        index.ifPresent(weights -> checkIndex(weights, tensors));
        return new Checkpoint(
                "torch",
                directories,
                1,
                Optional.empty(),
                files,
                StateDict.of(tensors),
                layouts,
                new LinkedHashMap<>(),
                Sidecars.find(directories, options),
                List.of(),
                List.of(),
                Optional.empty(),
                mapped);
    }

    private static void checkIndex(Map<String, String> weights, Map<String, Tensor> tensors) {
        for (String name : weights.keySet()) {
            if (!tensors.containsKey(name)) {
                throw new Fault(
                        Code.K2304,
                        INDEX + ": " + name + " is not in " + weights.get(name),
                        "the index is of another save than the files",
                        "copy the directory again");
            }
        }
    }

    private static SequencedMap<String, JoinedTensor> readFile(MappedFile file) {
        try {
            SequencedMap<String, JoinedTensor> tensors = new LinkedHashMap<>();
            TorchStateDict.read(TorchFile.open(file), OptionalInt.empty())
                    .values()
                    .forEach((name, value) -> {
                        if (value instanceof TorchValue.Plain plain) {
                            tensors.put(name, whole(name, file, plain.tensor()));
                        }
                    });
            return tensors;
        } catch (Fault fault) {
            throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
        }
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

    private static Map<String, String> readIndex(Path path) {
        try {
            JsonNode weights = JSON.readTree(path.toFile()).path("weight_map");
            Map<String, String> map = new LinkedHashMap<>();
            weights.forEachEntry((name, file) -> {
                if (!file.isString()
                        || !Path.of(file.asString())
                                .equals(Path.of(file.asString()).getFileName())) {
                    throw new Fault(
                            Code.K2304,
                            path + ": " + name + " lies in " + file,
                            "an index may name plain file names of its own directory only",
                            "do not trust this directory");
                }
                map.put(name, file.asString());
            });
            if (map.isEmpty()) {
                throw new Fault(
                        Code.K2304, path + ": no weight_map", "the file is no index", "copy the directory again");
            }
            return map;
        } catch (JacksonException e) {
            throw new Fault(
                    Code.K2304,
                    path + ": no JSON: " + e.getOriginalMessage(),
                    "the file was cut short",
                    "copy it again",
                    e);
        }
    }
}
