package dev.kintsugi.torch;

import java.util.List;
import java.util.Set;

/// What torch itself has Python call when it loads a state dict, to tell it from all else; nothing is called
/// here.
final class KnownCalls {
    private static final Set<String> NAMES = Set.of(
            "collections.OrderedDict",
            "collections.defaultdict",
            "torch.Size",
            "torch.device",
            "torch.serialization._get_layout",
            "copy_reg._reconstructor",
            "copyreg._reconstructor",
            "_codecs.encode");
    private static final List<String> PREFIXES = List.of(
            "torch._utils._rebuild_",
            "torch._tensor._rebuild_",
            "torch.nn.parameter.",
            "torch.distributed._mesh_layout.",
            "torch.distributed._shard.",
            "torch.distributed._tensor.",
            "torch.distributed.device_mesh.",
            "torch.distributed.remote_device.",
            "torch.distributed.tensor.");

    private KnownCalls() {}

    static boolean contains(String path) {
        return NAMES.contains(path) || PREFIXES.stream().anyMatch(path::startsWith);
    }
}
