package dev.kintsugi.checkpoint;

import dev.kintsugi.work.Job;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// A way in which a training framework lays a model out on disk.
public interface CheckpointFormat {
    /// What a person calls it on the command line: `fsdp`, `dcp`, `safetensors`.
    String name();

    /// Whether `path`, a directory or a file, holds a checkpoint of this format, by names and first bytes only.
    boolean recognises(Path path);

    /// Opens the checkpoint whose parts are at `paths`. **Errors.** [dev.kintsugi.fault.Fault] if it is not
    /// sound.
    Checkpoint open(List<Path> paths, OpenOptions options, Job job);

    /// Opens the optimizer's state of that checkpoint, or nothing where it holds none or this format never
    /// does.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] if it is not sound, or its parameters cannot be named.
    default Optional<OptimizerCheckpoint> openOptimizer(List<Path> paths, OpenOptions options, Job job) {
        return Optional.empty();
    }

    /// Whether a path of this format may hold several training steps, of which the format opens the one that
    /// [OpenOptions#iteration] says.
    default boolean choosesStep() {
        return false;
    }
}
