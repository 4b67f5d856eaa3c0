package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.work.Job;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Opens what DeepSpeed saves at stage 0, 1, 2 and 3, and universal checkpoints.
///
/// A path is a tag's directory, a file in it, or the directory above, whose `latest` chooses the tag.
public final class DeepSpeedFormat implements CheckpointFormat {
    @Override
    public String name() {
        return "deepspeed";
    }

    @Override
    public boolean recognises(Path path) {
        return TagFiles.recognises(path);
    }

    @Override
    public boolean choosesStep() {
        return true;
    }

    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        TagFiles files = TagFiles.scan(paths, options.iteration());
        MappedFiles mapped = new MappedFiles();
        try {
            return new Opening(TagStates.read(files, options, job, mapped), options, job, mapped).open();
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    @Override
    public Optional<OptimizerCheckpoint> openOptimizer(List<Path> paths, OpenOptions options, Job job) {
        TagFiles files = TagFiles.scan(paths, options.iteration());
        MappedFiles mapped = new MappedFiles();
        try {
            Optional<OptimizerCheckpoint> opened =
                    new Opening(TagStates.read(files, options, job, mapped), options, job, mapped).openOptimizer();
            if (opened.isEmpty()) {
                mapped.close();
            }
            return opened;
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }
}
