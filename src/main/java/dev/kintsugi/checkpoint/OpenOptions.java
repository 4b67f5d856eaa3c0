package dev.kintsugi.checkpoint;

import java.nio.file.Path;
import java.util.Optional;

/// How to open a checkpoint.
///
/// @param format the format to read it as, by its name, instead of the one detected
/// @param mesh the mesh to use instead of the one in the metadata
/// @param sidecars where `config.json` and the tokenizer are
/// @param allowMissing open what is there, though ranks are missing or damaged
public record OpenOptions(
        Optional<String> format, Optional<MeshOverride> mesh, Optional<Path> sidecars, boolean allowMissing) {
    public static OpenOptions defaults() {
        return new OpenOptions(Optional.empty(), Optional.empty(), Optional.empty(), false);
    }
}
