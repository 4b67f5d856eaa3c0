package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.megatron.LegacyGrid.Place;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;

/// One opening, step by step.
final class Opening {
    private final List<StepDirectory> steps;
    private final OpenOptions options;
    private final Job job;
    private final MappedFiles mapped;
    private final Names names = Names.load();
    private final Optional<Path> sidecars;
    private final List<String> notes = new ArrayList<>();
    private final List<String> dropped = new ArrayList<>();

    Opening(List<StepDirectory> steps, OpenOptions options, Job job, MappedFiles mapped) {
        this.steps = steps;
        this.options = options;
        this.job = job;
        this.mapped = mapped;
        List<Path> places = new ArrayList<>();
        steps.forEach(s -> places.add(s.given()));
        steps.forEach(s -> places.add(s.step()));
        this.sidecars = Sidecars.find(places, options);
        steps.forEach(s -> s.chosen().ifPresent(notes::add));
    }

    Checkpoint open() {
        if (steps.stream().map(StepDirectory::layout).distinct().count() > 1) {
            throw oneByOne("the directories are of different layouts");
        }
        return steps.getFirst().layout() == StepDirectory.Layout.LEGACY ? legacy() : dist();
    }

    private Fault oneByOne(String what) {
        return new Fault(
                Code.K1003,
                what,
                "all paths given are parts of one checkpoint",
                "copy all files of the checkpoint into one directory");
    }

    private Checkpoint dist() {
        if (steps.size() > 1) {
            throw oneByOne("several directories for one torch_dist checkpoint");
        }
        StepDirectory step = steps.getFirst();
        DistReader reader = new DistReader(step.step(), names, mapped);
        TrainingArgs args = distArgs(step, reader);
        ModelConfig config = ModelConfig.of(sidecars, args);
        Family family = Family.load(config.modelType());
        List<MegatronTensor> tensors = reader.read(job).stream()
                .filter(t -> !drops(family, t.name()))
                .toList();
        SequencedMap<String, JoinedTensor> joined =
                map(family, config, args, TiedHead.resolve(tensors, config, args, false, notes));
        List<ShardFile> files = reader.shardFiles();
        int world = files.stream().mapToInt(f -> f.rank().orElse(0)).max().orElse(0) + 1;
        return checkpoint(
                "Megatron-Core torch_dist",
                world,
                mesh(args, world),
                files,
                joined,
                new LinkedHashMap<>(),
                reader.ignored(),
                reader.writtenBy());
    }

    /// Whether `name` has no rule and the person said to leave it out.
    private boolean drops(Family family, String name) {
        if (family.match(name).isPresent() || !options.drop().test(name)) {
            return false;
        }
        dropped.add(name + " (not mapped; dropped)");
        return true;
    }

    private static TrainingArgs distArgs(StepDirectory step, DistReader reader) {
        Path config = step.step().resolveSibling("transformer_config.json");
        return Files.isRegularFile(config) ? TrainingArgs.of(JsonFile.read(config)) : reader.args();
    }

    /// The order of ranks Megatron uses unless told otherwise: tensor-parallel ranks are neighbours,
    /// stages far.
    private static Optional<DeviceMesh> mesh(TrainingArgs args, int world) {
        long tp = args.tensorParallel().orElse(1L);
        long pp = args.pipelineParallel().orElse(1L);
        if (args.equals(TrainingArgs.UNKNOWN) || tp > world || pp > world || world % (tp * pp) != 0) {
            return Optional.empty();
        }
        return Optional.of(DeviceMesh.dense(List.of("pp", "dp", "tp"), Shape.of(pp, world / (tp * pp), tp)));
    }

    private Checkpoint legacy() {
        List<MpRank> ranks =
                MpRank.scan(steps.stream().map(StepDirectory::step).toList());
        List<LegacyShard> shards = Parallel.map(job, ranks, this::shard);
        LegacyGrid grid = LegacyGrid.of(shards);
        TrainingArgs args = shards.getFirst().args();
        if (args.flag("swiglu").filter(gated -> !gated).isPresent()) {
            throw new Fault(
                    Code.K4011,
                    "the model was trained without --swiglu",
                    "its MLP has no gate, and no family that is known is so",
                    "convert it with the scripts of the project that trained it");
        }
        ModelConfig config = ModelConfig.of(sidecars, args);
        Family family = Family.load(config.modelType());
        List<MegatronTensor> tensors = TiedHead.resolve(
                new LegacyReader(grid, family, names, n -> drops(family, n)).read(), config, args, true, notes);
        return checkpoint(
                "Megatron legacy",
                grid.places().size(),
                grid.mesh(),
                grid.places().stream().map(Opening::shardFile).toList(),
                map(family, config, args, tensors),
                rankViews(grid),
                ignored(shards),
                Optional.empty());
    }

    private LegacyShard shard(MpRank rank) {
        return LegacyShard.read(rank, mapped.open(rank.file()), names);
    }

    private static List<String> ignored(List<LegacyShard> shards) {
        LinkedHashSet<String> ignored = new LinkedHashSet<>();
        shards.forEach(s -> ignored.addAll(s.ignored()));
        shards.forEach(s -> ignored.addAll(s.directory().besides()));
        return List.copyOf(ignored);
    }

    private static ShardFile shardFile(Place place) {
        MappedFile file = place.shard().file();
        return new ShardFile(
                file.path(),
                OptionalInt.of(place.rank()),
                place.shard().chunks().stream().mapToInt(Map::size).sum(),
                file.byteCount(),
                file.modifiedMillis(),
                "ok");
    }

    /// What each file holds, under the names in it; virtual stages are told apart by their number.
    private static SequencedMap<Integer, StateDict> rankViews(LegacyGrid grid) {
        SequencedMap<Integer, StateDict> views = new LinkedHashMap<>();
        for (Place place : grid.places()) {
            List<SequencedMap<String, StridedTensor>> chunks = place.shard().chunks();
            SequencedMap<String, Tensor> locals = new LinkedHashMap<>();
            for (int i = 0; i < chunks.size(); i++) {
                String prefix = chunks.size() == 1 ? "" : "model" + i + ".";
                chunks.get(i).forEach((name, tensor) -> locals.put(prefix + name, tensor));
            }
            views.put(place.rank(), StateDict.of(locals));
        }
        return views;
    }

    private SequencedMap<String, JoinedTensor> map(
            Family family, ModelConfig config, TrainingArgs args, List<MegatronTensor> tensors) {
        Vocabulary vocabulary = new Vocabulary(config, args);
        SequencedMap<String, JoinedTensor> joined = new Mapping(family, config, vocabulary).map(tensors);
        notes.addAll(vocabulary.notes());
        if (!config.hasConfig()) {
            notes.add("no config.json was found: heads and vocabulary are taken from the checkpoint's args");
        }
        return joined;
    }

    private Checkpoint checkpoint(
            String format,
            int world,
            Optional<DeviceMesh> mesh,
            List<ShardFile> files,
            SequencedMap<String, JoinedTensor> joined,
            SequencedMap<Integer, StateDict> ranks,
            List<String> ignored,
            Optional<String> writtenBy) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>();
        List<String> leftOut = new ArrayList<>(dropped);
        leftOut.addAll(ignored);
        joined.forEach((name, tensor) -> {
            tensors.put(name, tensor.tensor());
            layouts.put(name, tensor.layout());
        });
        return new Checkpoint(
                format,
                steps.stream().map(StepDirectory::step).toList(),
                world,
                mesh,
                files,
                StateDict.of(tensors),
                layouts,
                ranks,
                sidecars,
                notes,
                leftOut,
                writtenBy,
                mapped);
    }
}
