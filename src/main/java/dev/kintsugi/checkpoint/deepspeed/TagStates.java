package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;

/// The pickles of one tag, read.
///
/// @param models by rank; one entry of rank 0 where one file is for all
/// @param optimizers the flat buffers, if there are any
/// @param damaged the files that cannot be read, by path, with what is wrong
record TagStates(
        TagFiles files,
        SortedMap<Integer, ModelStates> models,
        Optional<ZeroRanks> optimizers,
        SequencedMap<Path, String> damaged) {

    /// Reads all of `files`.
    ///
    /// **Errors.** [Fault] `K3001` if the model states are missing, and whatever is wrong with a file, unless
    /// damaged files are allowed.
    static TagStates read(TagFiles files, OpenOptions options, Job job, MappedFiles mapped) {
        SortedMap<Integer, Path> modelPaths = new TreeMap<>(files.model());
        files.wholeModel().ifPresent(p -> modelPaths.putIfAbsent(0, p));
        Reading reading = new Reading(options, job, mapped, new LinkedHashMap<>());
        SortedMap<Integer, ModelStates> models = new TreeMap<>();
        reading.all(modelPaths, (path, rank) -> ModelStates.read(mapped.open(path), rank))
                .forEach(m -> models.put(m.rank(), m));
        if (models.isEmpty()) {
            throw new Fault(
                    Code.K3001,
                    files.directories().getFirst() + ": no *_model_states.pt",
                    "names and shapes of the parameters are in it; rank 0 of the job wrote it",
                    "copy it from the host of rank 0");
        }
        checkOneSave(models);
        List<OptimizerStates> states = files.universal().isPresent()
                ? List.of()
                : reading.all(files.optimizer(), (path, rank) -> OptimizerStates.read(mapped.open(path), rank));
        Optional<ZeroRanks> ranks = states.isEmpty()
                ? Optional.empty()
                : Optional.of(ZeroRanks.of(
                        states,
                        savedWorldSize(models.firstEntry().getValue()),
                        files.optimizer().lastKey() + 1));
        return new TagStates(files, models, ranks, reading.damaged());
    }

    private interface FileReader<T> {
        T read(Path path, int rank);
    }

    private record Reading(OpenOptions options, Job job, MappedFiles mapped, SequencedMap<Path, String> damaged) {
        <T> List<T> all(SortedMap<Integer, Path> paths, FileReader<T> reader) {
            List<Map.Entry<Integer, Path>> entries = List.copyOf(paths.entrySet());
            List<Optional<T>> read = Parallel.map(job, entries, e -> one(e.getValue(), e.getKey(), reader));
            return read.stream().flatMap(Optional::stream).toList();
        }

        private <T> Optional<T> one(Path path, int rank, FileReader<T> reader) {
            try {
                return Optional.of(reader.read(path, rank));
            } catch (Fault fault) {
                if (!options.allowMissing() || fault.code() == Code.K9002 || fault.status() == Code.K4012.status()) {
                    throw fault;
                }
                synchronized (damaged) {
                    damaged.put(path, fault.what());
                }
                return Optional.empty();
            }
        }
    }

    private static void checkOneSave(SortedMap<Integer, ModelStates> models) {
        ModelStates first = models.firstEntry().getValue();
        for (ModelStates other : models.values()) {
            List<String> differing = new ArrayList<>();
            if (!other.steps().equals(first.steps())) {
                differing.add("global_steps");
            }
            if (!other.paramShapes().equals(first.paramShapes())) {
                differing.add("param_shapes");
            }
            if (!other.frozenShapes().equals(first.frozenShapes())) {
                differing.add("frozen_param_shapes");
            }
            if (!differing.isEmpty()) {
                throw new Fault(
                        Code.K3002,
                        other.file().name() + " and " + first.file().name() + " differ in "
                                + String.join(", ", differing),
                        "files of different saves or runs are mixed",
                        "copy all *_model_states.pt of one step again");
            }
        }
    }

    /// The data parallel world size that the model states name.
    static OptionalInt savedWorldSize(ModelStates model) {
        Optional<PickleValue> size = Pickled.field(model.root(), "dp_world_size");
        return size.isPresent()
                ? OptionalInt.of(Math.clamp(Pickled.number(size.get(), "dp_world_size"), 1, 10_000_000))
                : OptionalInt.empty();
    }

    /// The model states of the first rank that has them.
    ModelStates model() {
        return models.firstEntry().getValue();
    }
}
