package dev.kintsugi.architecture;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Segments that training wrappers put into names, and that no model on disk has.
///
/// **Source.** torch `_FSDP_WRAPPED_MODULE`, `_CHECKPOINT_PREFIX`, `torch.compile`'s `OptimizedModule`;
/// `module.` of `DistributedDataParallel` at the front only.
final class Wrappers {
    private static final Set<String> SEGMENTS =
            Set.of("_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_orig_mod", "_orig_module");
    private static final List<String> PREFIXES = List.of("module.", "_forward_module.");

    private Wrappers() {}

    static String strip(String name) {
        String bare = name;
        boolean again = true;
        while (again) {
            String before = bare;
            if (mayBeWrapped(bare)) {
                bare = Stream.of(bare.split("\\.", -1))
                        .filter(s -> !SEGMENTS.contains(s))
                        .collect(Collectors.joining("."));
            }
            for (String prefix : PREFIXES) {
                bare = bare.startsWith(prefix) ? bare.substring(prefix.length()) : bare;
            }
            again = !before.equals(bare);
        }
        return bare;
    }

    /// Soon told for the most names: what every one of the segments holds.
    private static boolean mayBeWrapped(String name) {
        return name.contains("_wrapped_module") || name.contains("_orig_mod");
    }
}
