package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.StoredChunk;
import dev.kintsugi.checkpoint.dcp.DcpReader;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.sharding.FlatSlice;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads the weights of a `torch_dist` checkpoint.
///
/// Where a name has no layer number, dim 0 counts the layers; where one of experts has no expert number, the
/// next dim counts them. Both are global, so pipeline and expert parallelism leave no trace.
final class DistReader {
    private static final List<String> STACKS = List.of("decoder.layers.", ".mlp.experts.experts.");
    private static final String COMMON_STATE = "common_state/";
    private static final Pattern RANDOM_STATE =
            Pattern.compile("rng_state/shard_[0-9.]+_(\\d{1,7})\\.(\\d{1,7})(?:\\.\\d+)?");

    private final Path directory;
    private final Names names;
    private final MappedFiles mapped;
    private final DcpReader reader;
    private final DcpMetadata metadata;
    private final Map<String, Integer> tensorsPerFile = new HashMap<>();

    DistReader(Path directory, Names names, MappedFiles mapped) {
        this.directory = directory;
        this.names = names;
        this.mapped = mapped;
        this.reader = new DcpReader(directory, mapped);
        Path file = directory.resolve(".metadata");
        if (!Files.isRegularFile(file)) {
            throw new Fault(
                    Code.K2001,
                    directory + ": .distcp files without a .metadata",
                    "the job died before it wrote the metadata, which comes last; or hidden files were not copied",
                    "copy .metadata too, or open an earlier step");
        }
        this.metadata = DcpMetadata.read(mapped.open(file));
    }

    /// What is no weight: optimizer tensors each, objects by their names without the place in the grid.
    List<String> ignored() {
        List<String> ignored = new ArrayList<>();
        metadata.tensors().forEach((name, entry) -> {
            if (names.ignores(name)) {
                ignored.add(name + " (" + entry.spec() + ")");
            }
        });
        Map<String, Integer> objects = new LinkedHashMap<>();
        for (String object : metadata.objects()) {
            int shard = object.indexOf("/shard_");
            objects.merge(shard < 0 ? object : object.substring(0, shard), 1, Integer::sum);
        }
        objects.forEach((name, count) -> ignored.add(count == 1 ? name : name + " ×" + count));
        return ignored;
    }

    /// The highest rank of whose files the metadata tells, 0 where it tells of none.
    int highestRank() {
        return metadata.tensors().values().stream()
                .flatMap(e -> e.chunks().stream())
                .map(StoredChunk::file)
                .distinct()
                .mapToInt(f -> DcpReader.rank(f).orElse(0))
                .max()
                .orElse(0);
    }

    /// The files; to be asked after [#read].
    List<ShardFile> shardFiles() {
        return reader.shardFiles(tensorsPerFile);
    }

    /// What is no tensor of the grid: a dict with the reader of tensors in it.
    ///
    /// @param path the file it is in
    record Common(Dict entries, TorchReader reader, Path path) {}

    /// What `common.pt` holds, or the entry that took its place in Megatron-Core 0.19.
    Optional<Common> common() {
        Path common = directory.resolve("common.pt");
        if (Files.isRegularFile(common)) {
            TorchFile file = TorchFile.open(mapped.open(common));
            return common(file, file.root(), common);
        }
        return metadata.objectPlaces().entrySet().stream()
                .filter(e -> e.getKey().startsWith(COMMON_STATE))
                .findFirst()
                .flatMap(e -> {
                    TorchFile file = reader.archive(e.getValue());
                    List<PickleValue> items = Pickled.items(file.root(), COMMON_STATE);
                    return items.isEmpty()
                            ? Optional.empty()
                            : common(
                                    file,
                                    items.getFirst(),
                                    reader.path(e.getValue().file()));
                });
    }

    private static Optional<Common> common(TorchFile file, PickleValue root, Path path) {
        return Pickled.dict(root).map(d -> new Common(d, new TorchReader(file, OptionalInt.empty()), path));
    }

    /// The `args` of the job, or what else tells how its ranks stood.
    TrainingArgs args() {
        return common().flatMap(c -> c.entries().get("args"))
                .map(TrainingArgs::of)
                .orElseGet(this::argsOfRandomStates);
    }

    /// The states of random numbers have a place each in a grid of stages and tensor-parallel ranks, which their names
    /// tell: `rng_state/shard_0.1_2.2`.
    private TrainingArgs argsOfRandomStates() {
        for (String object : metadata.objects()) {
            Matcher matcher = RANDOM_STATE.matcher(object);
            if (matcher.matches()) {
                return TrainingArgs.ofSizes(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
            }
        }
        return TrainingArgs.UNKNOWN;
    }

    /// The weights.
    ///
    /// **Errors.** [Fault] `K2001` where there are none, and what [DcpReader#read] finds.
    List<MegatronTensor> read(Job job) {
        List<Map.Entry<String, Entry>> wanted = metadata.tensors().entrySet().stream()
                .filter(e -> !names.ignores(e.getKey()))
                .toList();
        if (wanted.isEmpty()) {
            throw new Fault(
                    Code.K2001,
                    directory + ": no weights, only " + metadata.tensors().size() + " optimizer tensors and "
                            + metadata.objects().size() + " objects",
                    "the job saved the weights elsewhere, such as verl with a bridge in huggingface/",
                    "open the directory with the weights");
        }
        SequencedMap<String, String> weights = new LinkedHashMap<>();
        wanted.forEach(e -> weights.put(e.getKey(), e.getKey()));
        return read(weights, job);
    }

    /// The entries that `parameters` names, each read as the parameter it maps to.
    ///
    /// **Errors.** [Fault] as of [#read(Job)].
    List<MegatronTensor> read(SequencedMap<String, String> parameters, Job job) {
        List<Map.Entry<String, String>> wanted = List.copyOf(parameters.entrySet());
        return Parallel.map(job, wanted, e -> split(e.getKey(), e.getValue(), counted(e.getKey()))).stream()
                .flatMap(List::stream)
                .toList();
    }

    private Entry counted(String name) {
        Entry entry = Objects.requireNonNull(metadata.tensors().get(name));
        synchronized (tensorsPerFile) {
            entry.chunks().forEach(c -> tensorsPerFile.merge(c.file(), 1, Integer::sum));
        }
        return entry;
    }

    DcpMetadata metadata() {
        return metadata;
    }

    private List<MegatronTensor> split(String storedName, String parameter, Entry entry) {
        try {
            return new Stack(storedName, parameter, entry).split();
        } catch (Fault fault) {
            throw fault.at(storedName);
        }
    }

    /// One entry of the checkpoint, cut along its leading axes.
    private final class Stack {
        private final String storedName;
        private final Entry entry;
        private final Optional<FlattenedGrid> flattened;
        private final Shape whole;
        private final String canonical;
        private final List<Integer> insertions = new ArrayList<>();
        private final int axes;
        private final Shape inner;
        private final Map<Shape, List<Part>> buckets = new LinkedHashMap<>();

        Stack(String storedName, String parameter, Entry entry) {
            this.storedName = storedName;
            this.entry = entry;
            this.canonical = names.canonical(parameter);
            for (String stack : STACKS) {
                int at = canonical.indexOf(stack) + stack.length();
                if (canonical.contains(stack) && at < canonical.length() && !Character.isDigit(canonical.charAt(at))) {
                    insertions.add(at);
                }
            }
            this.axes = insertions.size();
            this.flattened = FlattenedGrid.of(metadata, storedName);
            this.whole = flattened.map(FlattenedGrid::whole).orElse(entry.spec().shape());
            Shape shape = whole;
            if (entry.spec().elementCount() == 0) {
                throw new Fault(
                        Code.K3005,
                        "is empty: " + entry.spec(),
                        "the checkpoint was not saved whole",
                        "open an earlier step");
            }
            if (shape.ndim() <= axes) {
                throw new Fault(
                        Code.K3101,
                        "is " + entry.spec() + ", without the axes of layers and experts",
                        "its name has no number for them",
                        "report the version of Megatron that wrote it");
            }
            this.inner = Shape.of(Arrays.copyOfRange(shape.toArray(), axes, shape.ndim()));
        }

        List<MegatronTensor> split() {
            Set<Region> seen = new LinkedHashSet<>();
            for (StoredChunk chunk : entry.chunks()) {
                if (!chunk.region().isEmpty() && seen.add(chunk.region())) {
                    add(chunk);
                }
            }
            Shape outer = Shape.of(Arrays.copyOf(whole.toArray(), axes));
            if (buckets.size() != outer.elementCount()) {
                throw new Fault(
                        Code.K3005,
                        "the chunks hold " + buckets.size() + " of " + outer.elementCount() + " layers and experts",
                        "a rank did not save, or .metadata is of another save",
                        "copy the whole directory again, or open an earlier step");
            }
            TensorSpec spec = new TensorSpec(entry.spec().dtype(), inner);
            List<MegatronTensor> tensors = new ArrayList<>();
            buckets.forEach((index, parts) ->
                    tensors.add(new MegatronTensor(name(index), storedName, spec, parts, List.of(), List.of())));
            return tensors;
        }

        private void add(StoredChunk chunk) {
            if (!chunk.region().fitsIn(entry.spec().shape())) {
                throw new Fault(
                        Code.K3005,
                        "chunk " + chunk.region() + " leaves the tensor " + entry.spec(),
                        "the metadata is damaged",
                        "copy .metadata again, or open an earlier step");
            }
            StridedTensor local = reader.read(chunk);
            if (flattened.isEmpty()) {
                add(chunk, local, chunk.region(), 0);
                return;
            }
            long first = 0;
            for (Region box : flattened.get().boxes(chunk.region())) {
                add(chunk, local, box, first);
                first += box.elementCount();
            }
        }

        /// Adds the elements of `local` from `first` on, which fill `box`.
        private void add(StoredChunk chunk, StridedTensor local, Region box, long first) {
            Shape offset = box.offset();
            Shape extent = box.shape();
            Region region = new Region(
                    Shape.of(Arrays.copyOfRange(offset.toArray(), axes, offset.ndim())),
                    Shape.of(Arrays.copyOfRange(extent.toArray(), axes, extent.ndim())));
            Shape outer = Shape.of(Arrays.copyOf(extent.toArray(), axes));
            long count = region.elementCount();
            for (long i = 0; i < outer.elementCount(); i++) {
                long[] index = new long[axes];
                long rest = i;
                for (int axis = axes - 1; axis >= 0; axis--) {
                    index[axis] = offset.dim(axis) + rest % outer.dim(axis);
                    rest /= outer.dim(axis);
                }
                buckets.computeIfAbsent(Shape.of(index), k -> new ArrayList<>())
                        .add(new Part(
                                region,
                                FlatSlice.of(local, first + i * count, region.shape()),
                                DcpReader.rank(chunk.file()).orElse(-1),
                                reader.path(chunk.file()),
                                local.storage().record(),
                                local.storage().fileOffset()
                                        + local.byteOffset()
                                        + (first + i * count)
                                                * local.spec().dtype().byteWidth(),
                                false,
                                storedName));
            }
        }

        private String name(Shape index) {
            StringBuilder name = new StringBuilder(canonical);
            for (int axis = axes - 1; axis >= 0; axis--) {
                name.insert(insertions.get(axis), index.dim(axis) + ".");
            }
            return name.toString();
        }
    }

    /// What the metadata hints at of the versions.
    Optional<String> writtenBy() {
        boolean newer = metadata.objects().stream().anyMatch(o -> o.startsWith(COMMON_STATE));
        return Optional.of(newer ? "Megatron-Core 0.19 or newer" : "Megatron-Core before 0.19");
    }
}
