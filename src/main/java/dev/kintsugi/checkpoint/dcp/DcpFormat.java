package dev.kintsugi.checkpoint.dcp;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.StoredChunk;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;

/// Opens checkpoints of `torch.distributed.checkpoint`.
///
/// Where the saved state has a dict `model` (or `state_dict`, `module`), its entries are the model, under their names
/// within it; what stands beside it (optimizer, step) is named as left out.
public final class DcpFormat implements CheckpointFormat {
    private static final String METADATA = ".metadata";
    private static final List<String> MODEL_KEYS = List.of("model", "state_dict", "module", "model_state_dict");

    @Override
    public String name() {
        return "dcp";
    }

    @Override
    public boolean recognises(Path path) {
        if (!Files.isDirectory(path)) {
            return false;
        }
        if (Files.isRegularFile(path.resolve(METADATA))) {
            return true;
        }
        try (Stream<Path> list = Files.list(path)) {
            return list.anyMatch(
                    p -> DcpReader.rank(String.valueOf(p.getFileName())).isPresent());
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        Path directory = paths.getFirst();
        if (paths.size() > 1) {
            throw new Fault(
                    Code.K1003,
                    "several directories for one DCP checkpoint",
                    "its files are found through one .metadata",
                    "copy all .distcp files beside the .metadata");
        }
        Path metadataPath = directory.resolve(METADATA);
        if (!Files.isRegularFile(metadataPath)) {
            throw new Fault(
                    Code.K2001,
                    directory + ": .distcp files without a .metadata",
                    "the job died before it wrote the metadata, which comes last; or hidden files were not copied",
                    "copy .metadata too, or open an earlier step");
        }
        MappedFiles mapped = new MappedFiles();
        try {
            return open(directory, mapped.open(metadataPath), options, job, mapped);
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    private static Checkpoint open(
            Path directory, MappedFile metadataFile, OpenOptions options, Job job, MappedFiles mapped) {
        DcpMetadata metadata = DcpMetadata.read(metadataFile);
        DcpReader reader = new DcpReader(directory, mapped);
        List<String> ignored = new ArrayList<>();
        SequencedMap<String, String> names = modelNames(metadata, ignored);
        Map<String, Integer> tensorsPerFile = new HashMap<>();
        List<Map.Entry<String, String>> wanted = List.copyOf(names.entrySet());
        List<JoinedTensor> joined =
                Parallel.map(job, wanted, e -> reader.join(e.getKey(), require(metadata, e.getKey())));
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>();
        for (int i = 0; i < wanted.size(); i++) {
            String name = wanted.get(i).getValue();
            if (tensors.put(name, joined.get(i).tensor()) != null) {
                throw new Fault(
                        Code.K4013,
                        "two entries of the checkpoint are named " + name,
                        "the saved state holds two models",
                        "look at them with: open … --format dcp; tensors");
            }
            layouts.put(name, joined.get(i).layout());
            for (StoredChunk chunk : require(metadata, wanted.get(i).getKey()).chunks()) {
                tensorsPerFile.merge(chunk.file(), 1, Integer::sum);
            }
        }
        List<ShardFile> files = reader.shardFiles(tensorsPerFile);
        return new Checkpoint(
                "DCP",
                List.of(directory),
                Math.max(1, (int) files.stream().map(ShardFile::rank).distinct().count()),
                Optional.empty(),
                files,
                StateDict.of(tensors),
                layouts,
                new LinkedHashMap<>(),
                Sidecars.find(List.of(directory), options),
                List.of(),
                ignored,
                Optional.empty(),
                mapped);
    }

    private static Entry require(DcpMetadata metadata, String name) {
        return Optional.ofNullable(metadata.tensors().get(name)).orElseThrow();
    }

    /// Flat name to name within the model, for the entries that are the model's.
    private static SequencedMap<String, String> modelNames(DcpMetadata metadata, List<String> ignored) {
        Optional<String> root = MODEL_KEYS.stream()
                .filter(key -> metadata.tensors().keySet().stream().anyMatch(n -> within(metadata, n, key)))
                .findFirst();
        SequencedMap<String, String> names = new LinkedHashMap<>();
        for (String flat : metadata.tensors().keySet()) {
            if (root.isEmpty()) {
                names.put(flat, flat);
            } else if (within(metadata, flat, root.get())) {
                List<String> path = metadata.paths().getOrDefault(flat, List.of());
                names.put(flat, String.join(".", path.subList(1, path.size())));
            } else {
                ignored.add(flat + " (" + require(metadata, flat).spec() + ")");
            }
        }
        ignored.addAll(metadata.objects());
        return names;
    }

    private static boolean within(DcpMetadata metadata, String flat, String key) {
        List<String> path = metadata.paths().getOrDefault(flat, List.of());
        return path.size() > 1 && path.getFirst().equals(key);
    }
}
