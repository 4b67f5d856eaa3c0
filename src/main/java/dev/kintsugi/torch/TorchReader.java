package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Global;
import dev.kintsugi.pickle.PickleValue.PersistentId;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.Alike;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.zip.ZipRecord;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// Makes tensors of the values in one [TorchFile].
///
/// A global outside the lists here makes its value opaque ([TorchValue.Other]); it is never an error by itself.
public final class TorchReader {
    private static final Set<String> REBUILD_TENSOR = Set.of(
            "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3");
    private static final Set<String> REBUILD_PARAMETER =
            Set.of("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state");
    private static final String REBUILD_FROM_TYPE = "torch._tensor._rebuild_from_type_v2";
    private static final String WRAPPER_SUBCLASS = "torch._utils._rebuild_wrapper_subclass";
    private static final Set<String> DTENSOR_TYPES = Set.of(
            "torch.distributed.tensor.DTensor",
            "torch.distributed.tensor._api.DTensor",
            "torch.distributed._tensor.api.DTensor",
            "torch.distributed._tensor.DTensor");
    private static final String SHARDED_TENSOR_TYPE = "torch.distributed._shard.sharded_tensor.api.ShardedTensor";

    /// A parameter of a tensor subclass of a parameter is three.
    private static final int MAX_DEPTH = 32;

    private static final Set<String> STORAGE_MODULES = Set.of("torch", "torch.storage");

    private final TorchFile file;
    private final DTensorSpecReader specReader;
    private final Alike<TensorSpec> kinds = new Alike<>();
    private final Alike<Shape> strides = new Alike<>();
    private int depth;
    private long shards;
    private final Map<String, Storage> storages = new HashMap<>();
    private final Map<String, StorageReference> references = new HashMap<>();
    private final Map<Call, TorchValue> known = new IdentityHashMap<>();
    private final Map<PickleValue, DTensorSpecReader.Spec> specs = new IdentityHashMap<>();

    /// A reader of `file`, which rank `rank` of the job wrote, where that is known.
    public TorchReader(TorchFile file, OptionalInt rank) {
        this.file = file;
        this.specReader = new DTensorSpecReader(this::tensor, rank);
    }

    /// What `value` is. **Errors.** [Fault] if it claims to be a tensor and is not a sound one.
    public TorchValue read(PickleValue value) {
        if (value instanceof Call call && known.get(call) instanceof TorchValue before) {
            return before;
        }
        if (depth == MAX_DEPTH) {
            throw Pickled.fault("a tensor wrapped in more than " + MAX_DEPTH + " others");
        }
        depth++;
        try {
            TorchValue read = unwrap(value);
            if (value instanceof Call call) {
                known.put(call, read);
            }
            return read;
        } finally {
            depth--;
        }
    }

    /// What Python would do to a tensor once it is made: other values than those in the file.
    private static void checkUntouched(Call call) {
        if (!call.states().isEmpty()
                || call.items().size() > 0
                || !call.appended().isEmpty()) {
            throw Pickled.fault("a tensor that is changed once it is made: "
                    + (call.states().isEmpty() ? "its items are set" : "it is given a state"));
        }
    }

    private TorchValue unwrap(PickleValue value) {
        if (!(value instanceof Call call)) {
            return new TorchValue.Other(value);
        }
        if (REBUILD_TENSOR.contains(call.path())) {
            checkUntouched(call);
            return new TorchValue.Plain(tensor(call));
        }
        if (REBUILD_PARAMETER.contains(call.path())) {
            checkUntouched(call);
            return read(Pickled.argument(call, 0));
        }
        if (call.path().equals(REBUILD_FROM_TYPE)) {
            checkUntouched(call);
            return rebuilt(call);
        }
        return new TorchValue.Other(value);
    }

    private TorchValue rebuilt(Call call) {
        if (!(Pickled.argument(call, 0) instanceof Global function)) {
            return new TorchValue.Other(call);
        }
        PickleValue arguments = Pickled.argument(call, 2);
        if (REBUILD_TENSOR.contains(function.path())) {
            return new TorchValue.Plain(tensor(new Call(function, arguments)));
        }
        if (REBUILD_PARAMETER.contains(function.path())) {
            return read(new Call(function, arguments));
        }
        if (!function.path().equals(WRAPPER_SUBCLASS) || !(Pickled.argument(call, 1) instanceof Global type)) {
            return new TorchValue.Other(call);
        }
        if (DTENSOR_TYPES.contains(type.path())) {
            return distributed(new Call(function, arguments), Pickled.argument(call, 3));
        }
        if (type.path().equals(SHARDED_TENSOR_TYPE)) {
            return sharded(Pickled.argument(call, 3));
        }
        return new TorchValue.Other(call);
    }

    private TorchValue distributed(Call wrapper, PickleValue state) {
        DType dtype = dtype(Pickled.argument(wrapper, 1));
        Shape shape = Pickled.shape(Pickled.argument(wrapper, 2), "the size of a DTensor");
        var fields = Pickled.fields(state, "a DTensor");
        PickleValue spec = Pickled.require(fields, "a DTensor", "_spec");
        DTensorSpecReader.Spec read = specs.computeIfAbsent(spec, specReader::read);
        TorchValue local = read(Pickled.require(fields, "a DTensor", "_local_tensor"));
        if (!(local instanceof TorchValue.Plain plain)) {
            throw Pickled.fault("a DTensor whose local tensor is no plain tensor");
        }
        if (plain.tensor().spec().dtype() != dtype) {
            throw Pickled.fault("a DTensor of " + dtype + " whose local tensor is "
                    + plain.tensor().spec().dtype());
        }
        List<Placement> placements = new ArrayList<>();
        for (Placement placement : read.placements()) {
            placements.add(normalised(placement, shape.ndim()));
        }
        return new DTensor(
                kinds.of(new TensorSpec(dtype, shape)),
                read.mesh(),
                placements,
                plain.tensor(),
                read.old() && splitsTwice(placements));
    }

    /// A negative dim counts from the end.
    private static Placement normalised(Placement placement, int ndim) {
        return switch (placement) {
            case Placement.Shard shard when shard.dim() < 0 -> new Placement.Shard(shard.dim() + ndim);
            case Placement.StridedShard strided
            when strided.dim() < 0 -> new Placement.StridedShard(strided.dim() + ndim, strided.splitFactor());
            case Placement.Shard shard -> shard;
            case Placement.StridedShard strided -> strided;
            case Placement.Replicate replicate -> replicate;
            case Placement.Partial partial -> partial;
            case Placement.Unknown unknown -> unknown;
        };
    }

    private static boolean splitsTwice(List<Placement> placements) {
        List<Placement> shards =
                placements.stream().filter(Placement.Shard.class::isInstance).toList();
        return shards.size() != Set.copyOf(shards).size();
    }

    private TorchValue sharded(PickleValue state) {
        List<PickleValue> parts = Pickled.items(state, "the state of a ShardedTensor");
        if (parts.size() < 2) {
            throw Pickled.fault("a ShardedTensor with " + parts.size() + " parts");
        }
        var metadata = Pickled.fields(Pickled.call(parts.get(1), "the metadata of a ShardedTensor"));
        Shape shape =
                Pickled.shape(Pickled.require(metadata, "a ShardedTensor", "size"), "the size of a ShardedTensor");
        List<Region> regions = new ArrayList<>();
        List<StridedTensor> locals = new ArrayList<>();
        for (PickleValue part : Pickled.items(parts.get(0), "the shards of a ShardedTensor")) {
            var shard = Pickled.fields(Pickled.call(part, "a shard"));
            var box = Pickled.fields(Pickled.call(Pickled.require(shard, "a shard", "metadata"), "a shard's metadata"));
            regions.add(region(box));
            shards++;
            if ((shards & 0xfff) == 0) {
                Job.checkCurrent();
            }
            Limit.TENSORS.check(shards, Code.K2202, () -> "the file holds more shards than allowed");
            if (!(read(Pickled.require(shard, "a shard", "tensor")) instanceof TorchValue.Plain plain)) {
                throw Pickled.fault("a shard whose tensor is no plain tensor");
            }
            locals.add(plain.tensor());
        }
        DType dtype = locals.isEmpty()
                ? shardedDtype(Pickled.require(metadata, "a ShardedTensor", "tensor_properties"))
                : locals.getFirst().spec().dtype();
        return new ShardedTensor(new TensorSpec(dtype, shape), regions, locals);
    }

    private static Region region(PickleValue.Dict box) {
        Shape offset = Pickled.shape(Pickled.require(box, "a shard", "shard_offsets"), "the offsets of a shard");
        Shape extent = Pickled.shape(Pickled.require(box, "a shard", "shard_sizes"), "the sizes of a shard");
        return Pickled.region(offset, extent, "a shard");
    }

    private static DType shardedDtype(PickleValue properties) {
        Call call = Pickled.call(properties, "the properties of a ShardedTensor");
        if (call.states().size() == 1
                && call.states().getFirst() instanceof PickleValue.Tuple tuple
                && !tuple.items().isEmpty()) {
            return dtype(tuple.items().getFirst());
        }
        return dtype(Pickled.require(Pickled.fields(call), "the properties of a ShardedTensor", "dtype"));
    }

    /// The dtype a global such as `torch.bfloat16` names.
    public static DType dtype(PickleValue value) {
        if (value instanceof Global global && global.module().equals("torch")) {
            return DType.ofTorch(global.name())
                    .orElseThrow(() -> new Fault(
                            Code.K2205,
                            "dtype " + global.path() + " is not supported",
                            "it has no place in a safetensors file, or is packed below a byte",
                            "convert the tensor in the training job and save again"));
        }
        throw Pickled.unexpected(value, "a dtype");
    }

    private StridedTensor tensor(PickleValue value) {
        if (read(value) instanceof TorchValue.Plain plain) {
            return plain.tensor();
        }
        throw Pickled.unexpected(value, "a tensor");
    }

    private StridedTensor tensor(Call call) {
        List<PickleValue> arguments = Pickled.arguments(call);
        boolean untyped = call.path().endsWith("_v3");
        if (arguments.size() < (untyped ? 7 : 4)) {
            throw Pickled.fault(call.path() + " with " + arguments.size() + " arguments");
        }
        StorageReference reference = StorageReference.of(arguments.get(0));
        DType dtype = untyped ? dtype(arguments.get(6)) : reference.dtype();
        long first = Pickled.number(arguments.get(1), "a storage offset");
        Shape shape = Pickled.shape(arguments.get(2), "the size of a tensor");
        Shape steps = strides.of(Pickled.strides(arguments.get(3), "the strides of a tensor"));
        if (first < 0 || steps.ndim() != shape.ndim()) {
            throw Pickled.fault("a tensor " + shape + " with strides " + steps + " from element " + first);
        }
        StorageReference before = references.putIfAbsent(reference.key(), reference);
        if (before != null && !before.typed().equals(reference.typed())) {
            throw Pickled.fault("storage " + reference.key() + " as " + before.kind() + " and as " + reference.kind());
        }
        ZipRecord record = file.storageRecord(reference.key());
        reference.checkSize(record);
        Storage storage = storages.computeIfAbsent(reference.key(), key -> file.storage(record));
        TensorSpec spec = kinds.of(new TensorSpec(dtype, shape));
        checkFits(spec, storage, first, steps);
        return new StridedTensor(spec, storage, first, steps);
    }

    private void checkFits(TensorSpec spec, Storage storage, long first, Shape strides) {
        long needed;
        try {
            spec.byteCount();
            long last = first;
            for (int dim = 0; dim < strides.ndim(); dim++) {
                last = Math.addExact(
                        last, Math.multiplyExact(Math.max(0, spec.shape().dim(dim) - 1), strides.dim(dim)));
            }
            needed = spec.elementCount() == 0
                    ? 0
                    : Math.multiplyExact(Math.addExact(last, 1), spec.dtype().byteWidth());
        } catch (ArithmeticException e) {
            needed = Long.MAX_VALUE;
        }
        if (needed > storage.bytes().byteCount()) {
            throw new Fault(
                    Code.K2103,
                    String.format(
                            Locale.ROOT,
                            "storage %s holds %,d bytes, its tensor needs %,d (%s)",
                            storage.record().substring(storage.record().lastIndexOf('/') + 1),
                            storage.bytes().byteCount(),
                            needed,
                            spec),
                    "the file was cut short or is still being written",
                    "copy the file again");
        }
    }

    /// A persistent id: `('storage', class, key, location, count)`.
    private record StorageReference(Optional<DType> typed, String key, long count) {
        static StorageReference of(PickleValue value) {
            if (!(value instanceof PersistentId id)) {
                throw Pickled.unexpected(value, "a storage");
            }
            List<PickleValue> parts = Pickled.items(id.id(), "a storage's id");
            if (parts.size() != 5) {
                throw Pickled.fault("a storage's id with " + parts.size() + " parts");
            }
            if (!(parts.get(1) instanceof Global type)) {
                throw Pickled.unexpected(parts.get(1), "a storage's class");
            }
            if (!Pickled.text(parts.get(0), "the kind of a persistent id").equals("storage")) {
                throw Pickled.unexpected(parts.get(0), "the kind of a persistent id");
            }
            String key = Pickled.text(parts.get(2), "a storage's key");
            Pickled.text(parts.get(3), "a storage's location");
            long count = Pickled.number(parts.get(4), "a storage's count");
            if (count < 0) {
                throw Pickled.fault("a storage of the negative count " + count);
            }
            return new StorageReference(storageDtype(type), key, count);
        }

        private String kind() {
            return typed.map(DType::name).orElse("bytes without a dtype");
        }

        /// Checks that the record is as long as the id says.
        void checkSize(ZipRecord record) {
            long width = typed.map(DType::byteWidth).orElse(1);
            long held = record.byteCount();
            if (held % width != 0 || held / width != count) {
                throw new Fault(
                        Code.K2103,
                        String.format(
                                Locale.ROOT,
                                "storage %s holds %,d bytes, its id says %,d elements of %d bytes",
                                key,
                                held,
                                count,
                                width),
                        "the file was cut short, or put together from parts",
                        "copy the file again");
            }
        }

        DType dtype() {
            return typed.orElseThrow(() -> Pickled.fault("an untyped storage under a tensor without dtype"));
        }

        private static Optional<DType> storageDtype(Global type) {
            return switch (STORAGE_MODULES.contains(type.module()) ? type.name() : "") {
                case "DoubleStorage" -> Optional.of(DType.F64);
                case "FloatStorage" -> Optional.of(DType.F32);
                case "HalfStorage" -> Optional.of(DType.F16);
                case "BFloat16Storage" -> Optional.of(DType.BF16);
                case "LongStorage" -> Optional.of(DType.I64);
                case "IntStorage" -> Optional.of(DType.I32);
                case "ShortStorage" -> Optional.of(DType.I16);
                case "CharStorage" -> Optional.of(DType.I8);
                case "ByteStorage" -> Optional.of(DType.U8);
                case "BoolStorage" -> Optional.of(DType.BOOL);
                case "ComplexFloatStorage" -> Optional.of(DType.C64);
                case "UntypedStorage" -> Optional.empty();
                default ->
                    throw new Fault(
                            Code.K2205,
                            "storage type " + type.path() + " is not supported",
                            "it is none of torch's, or holds quantised or complex elements",
                            "convert the tensor in the training job and save again");
            };
        }
    }
}
