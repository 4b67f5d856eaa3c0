package dev.kintsugi.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Finds the directory with `config.json` and the tokenizer that belongs to a checkpoint.
public final class Sidecars {
    private Sidecars() {}

    /// The directory given, or the first of `DIR/huggingface`, `DIR`, `DIR/../huggingface` and `DIR/..` with a
    /// `config.json`.
    public static Optional<Path> find(List<Path> directories, OpenOptions options) {
        if (options.sidecars().isPresent()) {
            return options.sidecars();
        }
        List<Path> candidates = new ArrayList<>();
        for (Path directory : directories) {
            candidates.add(directory.resolve("huggingface"));
            candidates.add(directory);
        }
        for (Path directory : directories) {
            Path parent = directory.toAbsolutePath().normalize().getParent();
            if (parent != null) {
                candidates.add(parent.resolve("huggingface"));
                candidates.add(parent);
            }
        }
        return candidates.stream()
                .filter(c -> Files.isRegularFile(c.resolve("config.json")))
                .findFirst();
    }
}
