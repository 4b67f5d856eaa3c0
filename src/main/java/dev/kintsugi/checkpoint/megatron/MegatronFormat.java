package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.work.Job;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/// Opens Megatron-Core's dist checkpoints and the legacy ones of Megatron-LM.
///
/// The model's tensors stand under Hugging Face names and have their shapes; a layout's `storedName` is
/// Megatron's name.
public final class MegatronFormat implements CheckpointFormat {
    @Override
    public String name() {
        return "megatron";
    }

    @Override
    public boolean recognises(Path path) {
        return StepDirectory.recognises(path);
    }

    @Override
    public boolean choosesStep() {
        return true;
    }

    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        return opening(paths, options, job, (opening, mapped) -> opening.open());
    }

    @Override
    public Optional<OptimizerCheckpoint> openOptimizer(List<Path> paths, OpenOptions options, Job job) {
        return opening(paths, options, job, (opening, mapped) -> {
            Optional<OptimizerCheckpoint> found = opening.openOptimizer();
            if (found.isEmpty()) {
                mapped.close();
            }
            return found;
        });
    }

    private static <T> T opening(
            List<Path> paths, OpenOptions options, Job job, BiFunction<Opening, MappedFiles, T> task) {
        MappedFiles mapped = new MappedFiles();
        try {
            List<StepDirectory> steps = paths.stream()
                    .map(p -> StepDirectory.of(p, options.iteration()))
                    .toList();
            return task.apply(new Opening(steps, options, job, mapped), mapped);
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }
}
