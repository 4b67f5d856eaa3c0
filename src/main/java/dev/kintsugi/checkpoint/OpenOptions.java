package dev.kintsugi.checkpoint;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Predicate;

/// How to open a checkpoint.
///
/// @param format the format to read it as, by its name, instead of the one detected
/// @param mesh the mesh to use instead of the one in the metadata
/// @param sidecars where `config.json` and the tokenizer are
/// @param allowMissing open what is there, though ranks are missing or damaged
/// @param iteration the training step to open, where a directory holds several
/// @param drop the tensors to leave out where the format has no name for them, by the names it knows them under
/// @param strict refuse what else is noted of a file that breaks its format
public record OpenOptions(
        Optional<String> format,
        Optional<MeshOverride> mesh,
        Optional<Path> sidecars,
        boolean allowMissing,
        OptionalLong iteration,
        Predicate<String> drop,
        boolean strict) {
    /// The last step there is, and nothing dropped.
    public OpenOptions(
            Optional<String> format, Optional<MeshOverride> mesh, Optional<Path> sidecars, boolean allowMissing) {
        this(format, mesh, sidecars, allowMissing, OptionalLong.empty(), name -> false, false);
    }

    /// The same with another step.
    public OpenOptions withIteration(long number) {
        return new OpenOptions(format, mesh, sidecars, allowMissing, OptionalLong.of(number), drop, strict);
    }

    /// The same with unnamed tensors that `names` accepts left out.
    public OpenOptions dropping(Predicate<String> names) {
        return new OpenOptions(format, mesh, sidecars, allowMissing, iteration, names, strict);
    }

    /// The same, refusing breaks of a format that are noted else, if `refuse`.
    public OpenOptions strict(boolean refuse) {
        return new OpenOptions(format, mesh, sidecars, allowMissing, iteration, drop, refuse);
    }

    public static OpenOptions defaults() {
        return new OpenOptions(Optional.empty(), Optional.empty(), Optional.empty(), false);
    }
}
