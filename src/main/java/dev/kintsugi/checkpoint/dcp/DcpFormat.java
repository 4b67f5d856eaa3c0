package dev.kintsugi.checkpoint.dcp;

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
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.StoredChunk;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleLimits;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Opens checkpoints of `torch.distributed.checkpoint`.
///
/// Where the saved state has a dict `model` (or `state_dict`, `module`), its entries are the model, under their names
/// within it; what stands beside it (optimizer, step) is named as left out.
public final class DcpFormat implements CheckpointFormat {
    private static final String METADATA = ".metadata";
    private static final Pattern SHARD = Pattern.compile("__(\\d{1,7})_\\d{1,7}\\.distcp");
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
                    p -> SHARD.matcher(String.valueOf(p.getFileName())).matches());
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
        if (metadataFile.byteCount() > PickleLimits.DEFAULT.maxBytes()) {
            throw new Fault(
                    Code.K2202,
                    METADATA + " has " + metadataFile.byteCount() + " bytes",
                    "metadata is far smaller",
                    "do not trust this file");
        }
        DcpMetadata metadata = DcpMetadata.read(METADATA, metadataFile.bytes(0, (int) metadataFile.byteCount()));
        List<String> ignored = new ArrayList<>();
        SequencedMap<String, String> names = modelNames(metadata, ignored);
        Map<String, Integer> tensorsPerFile = new HashMap<>();
        List<Map.Entry<String, String>> wanted = List.copyOf(names.entrySet());
        List<JoinedTensor> joined =
                Parallel.map(job, wanted, e -> join(directory, e.getKey(), require(metadata, e.getKey()), mapped));
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
        List<ShardFile> files = shardFiles(directory, tensorsPerFile);
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

    private static JoinedTensor join(Path directory, String name, Entry entry, MappedFiles mapped) {
        try {
            Joining joining = new Joining(name, "chunks", entry.spec());
            for (StoredChunk chunk : entry.chunks()) {
                StridedTensor local = read(directory, chunk, mapped);
                if (!local.spec().shape().equals(chunk.region().shape())) {
                    throw new Fault(
                            Code.K3004,
                            chunk.file() + ": a chunk is " + local.spec() + ", its place " + chunk.region() + " is "
                                    + chunk.region().shape(),
                            "the file is of another save than .metadata",
                            "copy the whole directory again");
                }
                joining.add(
                        chunk.region(),
                        local,
                        new PieceSource(
                                rank(chunk.file()).orElse(-1),
                                directory.resolve(chunk.file()),
                                local.storage().record(),
                                local.storage().fileOffset() + local.byteOffset()));
            }
            return joining.join(Optional.empty(), List.of());
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }

    private static StridedTensor read(Path directory, StoredChunk chunk, MappedFiles mapped) {
        if (!SHARD.matcher(chunk.file()).matches()) {
            throw new Fault(
                    Code.K2204,
                    "a chunk in a file named " + chunk.file(),
                    "the files of a checkpoint are named __R_i.distcp and lie in its directory",
                    "do not trust this file");
        }
        Path path = directory.resolve(chunk.file());
        if (!Files.isRegularFile(path)) {
            throw new Fault(
                    Code.K3001,
                    chunk.file() + " is missing",
                    "it was written on another host, or was not copied",
                    "copy it beside .metadata");
        }
        MappedFile file = mapped.open(path);
        if (chunk.byteOffset() < 0
                || chunk.byteCount() < 0
                || chunk.byteOffset() > file.byteCount() - chunk.byteCount()) {
            throw new Fault(
                    Code.K2103,
                    chunk.file() + " holds " + file.byteCount() + " bytes, a chunk is at byte " + chunk.byteOffset()
                            + " and " + chunk.byteCount() + " long",
                    "the file was cut short or is still being written",
                    "copy the file again");
        }
        String place = chunk.file() + " at byte " + chunk.byteOffset();
        TorchFile torch = TorchFile.open(place, file, chunk.byteOffset(), chunk.byteCount());
        if (new TorchReader(torch, OptionalInt.empty()).read(torch.root()) instanceof TorchValue.Plain plain) {
            return plain.tensor();
        }
        throw new Fault(
                Code.K2204,
                place + ": no plain tensor",
                "the checkpoint was written by a planner that is not known",
                "save it again with the default planner");
    }

    private static OptionalInt rank(String file) {
        Matcher matcher = SHARD.matcher(file);
        return matcher.matches() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    private static List<ShardFile> shardFiles(Path directory, Map<String, Integer> tensorsPerFile) {
        List<ShardFile> files = new ArrayList<>();
        try (Stream<Path> list = Files.list(directory)) {
            for (Path path : list.sorted().toList()) {
                String name = String.valueOf(path.getFileName());
                OptionalInt rank = rank(name);
                if (rank.isPresent()) {
                    files.add(new ShardFile(
                            path,
                            rank,
                            tensorsPerFile.getOrDefault(name, 0),
                            Files.size(path),
                            Files.getLastModifiedTime(path).toMillis(),
                            "ok"));
                }
            }
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    directory + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
        files.sort(Comparator.comparingInt(f -> f.rank().orElse(-1)));
        return files;
    }
}
