package dev.kintsugi.torch;

import dev.kintsugi.pickle.PickleValue.Global;
import dev.kintsugi.tensor.DType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// What torch, Megatron and DeepSpeed name in the files they save, to tell it from all else.
///
/// **Source.** `torch/_weights_only_unpickler.py`, `_get_allowed_globals`; the classes of `torch/distributed` that are
/// pickled, 2.0 to 2.13; files saved by each framework.
final class KnownGlobals {
    private static final Map<String, Set<String>> NAMES = new HashMap<>();

    static {
        String builtins =
                "bool bytearray bytes complex dict float frozenset getattr int list object set slice str tuple";
        names("builtins", builtins);
        names("__builtin__", builtins + " long unicode");
        names("collections", "Counter OrderedDict defaultdict deque");
        names("_codecs", "encode");
        names("copyreg", "_reconstructor");
        names("copy_reg", "_reconstructor");
        names("argparse", "Namespace");
        names("datetime", "date datetime timedelta timezone");
        for (String module : List.of("pathlib", "pathlib._local")) {
            names(module, "Path PosixPath PurePath PurePosixPath");
        }
        names("signal", "Signals");
        names("_io", "BytesIO");
        torch();
        distributed();
        shardedTensors();
        distributedCheckpoints();
        frameworks();
    }

    private KnownGlobals() {}

    static boolean contains(Global global) {
        return NAMES.getOrDefault(global.module(), Set.of()).contains(global.name());
    }

    private static void names(String module, String names) {
        NAMES.computeIfAbsent(module, m -> new HashSet<>()).addAll(Set.of(names.split(" ")));
    }

    private static void torch() {
        names("torch", "Size Tensor device dtype finfo iinfo layout memory_format");
        names("torch", "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage");
        names("torch", "DoubleStorage FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage");
        names("torch", "QUInt2x4Storage QUInt4x2Storage QUInt8Storage ShortStorage UntypedStorage");
        names("torch", "bits16 bits1x8 bits2x4 bits4x2 bits8 complex128 complex32 float4_e2m1fn_x2 qint32 qint8");
        names("torch", "quint2x4 quint4x2 quint8 cdouble chalf double float half int long short cfloat");
        names("torch", "contiguous_format channels_last channels_last_3d preserve_format strided sparse_coo");
        names("torch", Arrays.stream(DType.values()).map(DType::torchName).collect(Collectors.joining(" ")));
        names("torch.storage", "TypedStorage UntypedStorage _LegacyStorage");
        names("torch._tensor", "Tensor _rebuild_from_type _rebuild_from_type_v2");
        names(
                "torch._utils",
                "_rebuild_parameter _rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor");
        names("torch._utils", "_rebuild_sparse_csr_tensor _rebuild_meta_tensor_no_storage _rebuild_nested_tensor");
        names("torch._utils", "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_wrapper_subclass");
        names("torch._utils", "_rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor");
        names("torch.serialization", "_get_layout");
        names("torch.nn.parameter", "Buffer Parameter UninitializedBuffer UninitializedParameter");
    }

    private static void distributed() {
        String placements = "Partial Replicate Shard _MaskPartial _NormPartial _Partial _StridedShard";
        names("torch.distributed.tensor", "DTensor DeviceMesh " + placements);
        names("torch.distributed.tensor._api", "DTensor");
        names("torch.distributed.tensor.placement_types", placements);
        names("torch.distributed.tensor._dtensor_spec", "DTensorSpec ShardOrderEntry TensorMeta");
        names("torch.distributed.tensor._ops._embedding_ops", "MaskBuffer _MaskPartial");
        names("torch.distributed._tensor", "DTensor DeviceMesh " + placements);
        names("torch.distributed._tensor.api", "DTensor");
        names("torch.distributed._tensor.placement_types", "DTensorSpec TensorMeta " + placements);
        names("torch.distributed._tensor._dtensor_spec", "DTensorSpec TensorMeta");
        names("torch.distributed._tensor.device_mesh", "DeviceMesh");
        names("torch.distributed.device_mesh", "DeviceMesh");
        names("torch.distributed._mesh_layout", "_FlatLayout _MeshLayout");
    }

    private static void shardedTensors() {
        String shard = "torch.distributed._shard.";
        names("torch.distributed.remote_device", "_remote_device");
        names(shard + "metadata", "ShardMetadata");
        names(shard + "sharded_tensor", "Shard ShardedTensor");
        names(shard + "sharded_tensor.api", "ShardedTensor ShardedTensorBase");
        names(shard + "sharded_tensor.metadata", "MEM_FORMAT_ENCODING ShardedTensorMetadata TensorProperties");
        names(shard + "sharded_tensor.shard", "Shard");
        names(shard + "sharding_spec.api", "DevicePlacementSpec EnumerableShardingSpec");
        names(shard + "sharding_spec.chunk_sharding_spec", "ChunkShardingSpec");
    }

    private static void distributedCheckpoints() {
        String checkpoint = "torch.distributed.checkpoint.";
        names(checkpoint + "metadata", "BytesStorageMetadata ChunkStorageMetadata Metadata MetadataIndex StorageMeta");
        names(checkpoint + "metadata", "TensorProperties TensorStorageMetadata _MEM_FORMAT_ENCODING");
        names(checkpoint + "filesystem", "_StorageInfo _StoragePrefix");
        names(
                checkpoint + "planner",
                "LoadItemType LoadPlan ReadItem SavePlan TensorWriteData WriteItem WriteItemType");
        String megatron = "megatron.core.dist_checkpointing.strategies.torch";
        names(megatron, "MCoreMetadata MCoreSavePlan");
    }

    private static void frameworks() {
        for (String module : List.of("megatron", "megatron.model", "megatron.core", "megatron.core.transformer")) {
            names(module + ".enums", "AttnBackend AttnMaskType AttnType CudaGraphScope Fp4Recipe Fp8Recipe LayerType");
            names(module + ".enums", "InferenceCudaGraphScope ModelType PositionEmbeddingType");
        }
        names("megatron.core.rerun_state_machine", "RerunDiagnostic RerunMode RerunState");
        names("deepspeed.runtime.fp16.loss_scaler", "DynamicLossScaler LossScaler");
        names("deepspeed.runtime.zero.config", "ZeroStageEnum");
        names("deepspeed.utils.tensor_fragment", "fragment_address");
        names("numpy", "dtype ndarray");
        names("numpy.core.multiarray", "_reconstruct scalar");
        names("numpy._core.multiarray", "_reconstruct scalar");
    }
}
