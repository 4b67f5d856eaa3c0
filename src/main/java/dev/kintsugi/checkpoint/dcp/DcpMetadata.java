package dev.kintsugi.checkpoint.dcp;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleMachine;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.Opaque;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.TorchReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/// What a `.metadata` file says.
///
/// @param tensors tensors by flat name
/// @param objects names of entries that are no tensors
/// @param paths the keys that lead to an entry, where the planner flattened nested dicts
/// @param objectPlaces where each of `objects` that is stored lies, its box empty of meaning
/// @param flattened the whole shapes of tensors that Megatron saved as flattened pieces: their entries have an axis of
/// as many cells as there are pieces along each dim, and behind them one of the elements of a piece
public record DcpMetadata(
        SequencedMap<String, Entry> tensors,
        List<String> objects,
        Map<String, List<String>> paths,
        Map<String, StoredChunk> objectPlaces,
        Map<String, Shape> flattened) {
    private static final Set<String> ROOTS = Set.of(
            "torch.distributed.checkpoint.metadata.Metadata",
            "megatron.core.dist_checkpointing.strategies.torch.MCoreMetadata");

    /// A tensor and its chunks.
    public record Entry(TensorSpec spec, List<StoredChunk> chunks) {
        public Entry {
            chunks = List.copyOf(chunks);
        }
    }

    /// One chunk: its box, and the bytes of `file` that are its own file of `torch.save`.
    public record StoredChunk(Region region, String file, long byteOffset, long byteCount) {}

    /// Comparable, so that a hash table of indexes made to collide stays fast.
    private record Index(String name, Shape offset) implements Comparable<Index> {
        @Override
        public int compareTo(Index other) {
            int names = name.compareTo(other.name);
            return names == 0 ? Arrays.compare(offset.toArray(), other.offset.toArray()) : names;
        }
    }

    private record Stored(String file, long byteOffset, long byteCount) {}

    /// Reads the `.metadata` file `file`. **Errors.** [Fault] `K2202` for one too large, else as below.
    public static DcpMetadata read(MappedFile file) {
        Limit.PICKLE_BYTES.check(
                file.byteCount(), Code.K2202, () -> file.name() + " has " + file.byteCount() + " bytes");
        return read(file.name(), file.bytes(0, (int) file.byteCount()));
    }

    /// Reads the pickle `bytes`. **Errors.** [Fault] `K2201` to `K2204`, `K2102` for a chunk that is stored
    /// nowhere.
    public static DcpMetadata read(String place, byte[] bytes) {
        try {
            PickleMachine.Result pickle = PickleMachine.readAll(place, bytes);
            Opaque.remark(pickle);
            return read(pickle.value());
        } catch (Fault fault) {
            throw fault.what().startsWith(place) ? fault : fault.at(place);
        }
    }

    private static DcpMetadata read(PickleValue root) {
        Call call = Pickled.call(root, "the metadata");
        if (!ROOTS.contains(call.path())) {
            throw Pickled.fault("the pickle is " + Pickled.describe(root) + ", not the metadata of a checkpoint");
        }
        Dict fields = Pickled.fields(call);
        Map<Index, Stored> stored = stored(dict(Pickled.require(fields, "the metadata", "storage_data")));
        Dict entries = dict(Pickled.require(fields, "the metadata", "state_dict_metadata"));
        SequencedMap<String, Entry> tensors = new LinkedHashMap<>();
        List<String> objects = new ArrayList<>();
        Map<String, StoredChunk> places = new HashMap<>();
        for (int i = 0; i < entries.size(); i++) {
            String name = Pickled.text(entries.keys().get(i), "a name");
            Call entry = Pickled.call(entries.values().get(i), "the entry " + name);
            if (entry.path().endsWith(".TensorStorageMetadata")) {
                tensors.put(name, entry(name, Pickled.fields(entry), stored));
            } else {
                objects.add(name);
                Optional.ofNullable(stored.get(new Index(name, Shape.SCALAR)))
                        .ifPresent(s -> places.put(
                                name,
                                new StoredChunk(Region.whole(Shape.SCALAR), s.file(), s.byteOffset(), s.byteCount())));
            }
        }
        return new DcpMetadata(tensors, objects, paths(fields), places, flattened(fields));
    }

    private static Map<String, Shape> flattened(Dict fields) {
        Map<String, Shape> shapes = new HashMap<>();
        if (Pickled.field(fields, "mcore_data").orElse(PickleValue.None.INSTANCE) instanceof Dict data) {
            for (int i = 0; i < data.size(); i++) {
                if (data.keys().get(i) instanceof Text name && data.values().get(i) instanceof Dict about) {
                    Pickled.field(about, "nd_reformulated_orig_global_shape")
                            .ifPresent(s ->
                                    shapes.put(name.value(), Pickled.shape(s, "the whole shape of " + name.value())));
                }
            }
        }
        return shapes;
    }

    private static Dict dict(PickleValue value) {
        return Pickled.dict(value)
                .orElseThrow(
                        () -> Pickled.fault("the metadata holds " + Pickled.describe(value) + " where a dict belongs"));
    }

    private static Map<Index, Stored> stored(Dict data) {
        Map<Index, Stored> stored = new HashMap<>();
        for (int i = 0; i < data.size(); i++) {
            Dict index = Pickled.fields(Pickled.call(data.keys().get(i), "an index"));
            Dict info = Pickled.fields(Pickled.call(data.values().get(i), "a storage info"));
            String name = Pickled.text(Pickled.require(index, "an index", "fqn"), "a name");
            Shape offset = Pickled.field(index, "offset")
                    .map(o -> Pickled.shape(o, "an offset"))
                    .orElse(Shape.SCALAR);
            if (Pickled.field(info, "transform_descriptors")
                    .filter(t -> !Pickled.items(t, "transforms").isEmpty())
                    .isPresent()) {
                throw new Fault(
                        Code.K4012,
                        name + " is stored through transforms",
                        "the checkpoint was written with compression or encryption extensions",
                        "save it again without them");
            }
            Stored before = stored.put(
                    new Index(name, offset),
                    new Stored(
                            Pickled.text(Pickled.require(info, "a storage info", "relative_path"), "a file name"),
                            Pickled.number(Pickled.require(info, "a storage info", "offset"), "an offset"),
                            Pickled.number(Pickled.require(info, "a storage info", "length"), "a length")));
            if (before != null) {
                throw Pickled.fault("the metadata says twice where " + name + " from " + offset + " on is stored");
            }
        }
        return stored;
    }

    private static Entry entry(String name, Dict fields, Map<Index, Stored> stored) {
        Shape shape = Pickled.shape(Pickled.require(fields, name, "size"), "the size of " + name);
        TensorSpec spec = new TensorSpec(dtype(Pickled.require(fields, name, "properties")), shape);
        List<StoredChunk> chunks = new ArrayList<>();
        for (PickleValue chunk : Pickled.items(Pickled.require(fields, name, "chunks"), "the chunks of " + name)) {
            Dict box = Pickled.fields(Pickled.call(chunk, "a chunk of " + name));
            Shape offset = Pickled.shape(Pickled.require(box, "a chunk", "offsets"), "the offsets of a chunk");
            Shape extent = Pickled.shape(Pickled.require(box, "a chunk", "sizes"), "the sizes of a chunk");
            Region region = Pickled.region(offset, extent, "a chunk of " + name);
            Stored where = Optional.ofNullable(stored.get(new Index(name, offset)))
                    .orElseThrow(() -> new Fault(
                            Code.K2102,
                            name + ": chunk " + region + " is stored nowhere",
                            "the job died before the metadata was complete",
                            "open an earlier step"));
            chunks.add(new StoredChunk(region, where.file(), where.byteOffset(), where.byteCount()));
        }
        return new Entry(spec, chunks);
    }

    private static DType dtype(PickleValue properties) {
        Call call = Pickled.call(properties, "the properties of a tensor");
        if (call.states().size() == 1
                && call.states().getFirst() instanceof PickleValue.Tuple tuple
                && !tuple.items().isEmpty()) {
            return TorchReader.dtype(tuple.items().getFirst());
        }
        return TorchReader.dtype(Pickled.require(Pickled.fields(call), "the properties of a tensor", "dtype"));
    }

    private static Map<String, List<String>> paths(Dict fields) {
        Map<String, List<String>> paths = new HashMap<>();
        if (Pickled.field(fields, "planner_data").orElse(PickleValue.None.INSTANCE) instanceof Dict data) {
            for (int i = 0; i < data.size(); i++) {
                if (data.keys().get(i) instanceof Text name) {
                    List<String> path = new ArrayList<>();
                    for (PickleValue key : Pickled.items(data.values().get(i), "a key path")) {
                        path.add(key instanceof Text text ? text.value() : Pickled.describe(key));
                    }
                    paths.put(name.value(), path);
                }
            }
        }
        return paths;
    }
}
