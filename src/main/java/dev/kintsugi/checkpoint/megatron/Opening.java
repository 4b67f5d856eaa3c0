package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.megatron.DistReader.Common;
import dev.kintsugi.checkpoint.megatron.LegacyGrid.Place;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.Pickled;
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
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// One opening, step by step.
final class Opening {
    private final List<StepDirectory> steps;
    private final OpenOptions options;
    private final Job job;
    private final MappedFiles mapped;
    private final Names names = Names.load();
    private final Optional<Path> sidecars;
    private final List<Note> notes = new ArrayList<>();
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
        steps.forEach(s -> s.chosen().map(Note::information).ifPresent(notes::add));
    }

    Checkpoint open() {
        return isLegacy() ? legacy() : dist();
    }

    /// The optimizer's state under the names of the model's tensors, if the job saved one.
    Optional<OptimizerCheckpoint> openOptimizer() {
        return isLegacy() ? legacyOptimizer() : distOptimizer();
    }

    private boolean isLegacy() {
        if (steps.stream().map(StepDirectory::layout).distinct().count() > 1) {
            throw oneByOne("the directories are of different layouts");
        }
        return steps.getFirst().layout() == StepDirectory.Layout.LEGACY;
    }

    /// The weights under Megatron-Core's names, and what is known of the model.
    ///
    /// @param headIsCopy whether the last stage's copy of the embedding was left out
    private record Weights(
            ModelConfig config, TrainingArgs args, Family family, List<MegatronTensor> tensors, boolean headIsCopy) {
        OptimizerJoin optimizer() {
            Mapping mapping = new Mapping(family, config, new Vocabulary(config, args));
            return new OptimizerJoin(mapping, TiedHead.ofValueModel(tensors), headIsCopy);
        }
    }

    private Weights weights(
            ModelConfig config, TrainingArgs args, Family family, List<MegatronTensor> tensors, boolean copies) {
        List<MegatronTensor> resolved = TiedHead.resolve(tensors, config, args, copies, notes);
        return new Weights(config, args, family, resolved, resolved.size() < tensors.size());
    }

    private Fault oneByOne(String what) {
        return new Fault(
                Code.K1003,
                what,
                "all paths given are parts of one checkpoint",
                "copy all files of the checkpoint into one directory");
    }

    private DistReader distReader() {
        if (steps.size() > 1) {
            throw oneByOne("several directories for one torch_dist checkpoint");
        }
        return new DistReader(steps.getFirst().step(), names, mapped);
    }

    private Weights weights(DistReader reader) {
        TrainingArgs args = distArgs(steps.getFirst(), reader);
        ModelConfig config = ModelConfig.of(sidecars, args);
        Family family = Family.load(config.modelType());
        return weights(config, args, family, placed(kept(family, reader.read(job)), mesh(reader, args)), false);
    }

    /// `tensors` with what the places of their ranks tell: stage and expert-parallel rank.
    private static List<MegatronTensor> placed(List<MegatronTensor> tensors, Optional<DeviceMesh> mesh) {
        return mesh.isEmpty()
                ? tensors
                : tensors.stream().map(t -> placed(t, mesh.get())).toList();
    }

    private static MegatronTensor placed(MegatronTensor tensor, DeviceMesh mesh) {
        MegatronTensor placed = tensor;
        for (int dim = 0; dim < mesh.ndim(); dim++) {
            int at = dim;
            String name = mesh.dimNames().get(dim);
            boolean tells = name.equals("pp")
                    || name.equals("ep")
                            && LegacyReader.EXPERT.match(tensor.name()).isPresent();
            List<Integer> places = tensor.parts().stream()
                    .map(p -> mesh.coordinate(p.rank()).map(c -> c[at]).orElse(-1))
                    .distinct()
                    .toList();
            if (tells && mesh.shape().dim(dim) > 1 && places.size() == 1 && places.getFirst() >= 0) {
                placed = placed.on(
                        name + "=" + mesh.shape().dim(dim),
                        (name.equals("pp") ? "Stage(" : "Rank(") + places.getFirst() + ")");
            }
        }
        return placed;
    }

    private List<MegatronTensor> kept(Family family, List<MegatronTensor> tensors) {
        return tensors.stream().filter(t -> !drops(family, t.name())).toList();
    }

    private Checkpoint dist() {
        DistReader reader = distReader();
        Weights weights = weights(reader);
        return dist(reader, weights.args(), "Megatron-Core torch_dist", map(weights), reader.ignored());
    }

    private Checkpoint dist(
            DistReader reader,
            TrainingArgs args,
            String format,
            SequencedMap<String, JoinedTensor> joined,
            List<String> ignored) {
        Optional<DeviceMesh> mesh = mesh(reader, args);
        int world = mesh.map(DeviceMesh::size).orElse(reader.highestRank() + 1);
        return checkpoint(
                format, world, mesh, reader.shardFiles(), joined, new LinkedHashMap<>(), ignored, reader.writtenBy());
    }

    private Optional<OptimizerCheckpoint> distOptimizer() {
        DistReader reader = distReader();
        return DistStates.of(reader.metadata(), names).map(states -> {
            Weights weights = weights(reader);
            OptimizerJoin join = weights.optimizer();
            Optional<Common> common = reader.common();
            List<OptimizerPart> parts = common.flatMap(c -> Pickled.field(c.entries(), "optimizer"))
                    .map(OptimizerPart::of)
                    .orElseGet(List::of);
            List<Optional<Part>> steps =
                    common.map(c -> DistStates.steps(c, parts)).orElseGet(List::of);
            Set<String> stepped = new LinkedHashSet<>();
            states.byState().forEach((state, parameters) -> {
                List<MegatronTensor> tensors =
                        placed(kept(weights.family(), reader.read(parameters, job)), mesh(reader, weights.args()));
                join.add(state, tensors);
                for (MegatronTensor tensor : tensors) {
                    int chain = states.chain(tensor.storedName());
                    if (stepped.add(tensor.name()) && chain < steps.size()) {
                        steps.get(chain).ifPresent(s -> join.addScalar("step", tensor.name(), s));
                    }
                }
            });
            JsonNode settings = common.map(
                            c -> OptimizerSettings.of(c.entries(), parts, c.reader(), members(parts, join)))
                    .orElseGet(JsonNodeFactory.instance::objectNode);
            return new OptimizerCheckpoint(
                    dist(reader, weights.args(), "Megatron-Core torch_dist optimizer", join.tensors(), List.of()),
                    settings);
        });
    }

    /// The members of the groups: of a single one all parameters, of several it is not in the files.
    private static List<List<String>> members(List<OptimizerPart> parts, OptimizerJoin join) {
        return parts.stream().mapToInt(p -> p.groups().size()).sum() == 1 ? List.of(join.parameters()) : List.of();
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

    private static Optional<DeviceMesh> mesh(DistReader reader, TrainingArgs args) {
        return RankOrder.of(args, reader.highestRank()).flatMap(RankOrder::mesh);
    }

    private LegacyGrid grid() {
        List<MpRank> ranks = MpRank.scan(steps.stream().map(StepDirectory::step).toList());
        LegacyGrid grid = LegacyGrid.of(Parallel.map(job, ranks, this::shard), names);
        if (args(grid).flag("swiglu").filter(gated -> !gated).isPresent()) {
            throw new Fault(
                    Code.K4011,
                    "the model was trained without --swiglu",
                    "its MLP has no gate, and no family that is known is so",
                    "convert it with the scripts of the project that trained it");
        }
        return grid;
    }

    private static TrainingArgs args(LegacyGrid grid) {
        return grid.places().getFirst().shard().args();
    }

    private LegacyReader reader(LegacyGrid grid, ModelConfig config, Family family) {
        return new LegacyReader(grid, config, family, names, n -> drops(family, n));
    }

    private Checkpoint legacy() {
        LegacyGrid grid = grid();
        ModelConfig config = ModelConfig.of(sidecars, args(grid));
        Family family = Family.load(config.modelType());
        Weights weights =
                weights(config, args(grid), family, reader(grid, config, family).read(), true);
        List<LegacyShard> shards = grid.places().stream().map(Place::shard).toList();
        return legacy(grid, "Megatron legacy", map(weights), rankViews(grid), ignored(shards));
    }

    private Checkpoint legacy(
            LegacyGrid grid,
            String format,
            SequencedMap<String, JoinedTensor> joined,
            SequencedMap<Integer, StateDict> ranks,
            List<String> ignored) {
        return checkpoint(
                format,
                grid.places().size(),
                grid.mesh(),
                grid.places().stream().map(Opening::shardFile).toList(),
                joined,
                ranks,
                ignored,
                Optional.empty());
    }

    private Optional<OptimizerCheckpoint> legacyOptimizer() {
        LegacyGrid grid = grid();
        List<LegacyStates> states = Parallel.map(job, grid.places(), p -> LegacyStates.read(p.shard(), names)).stream()
                .flatMap(Optional::stream)
                .toList();
        if (states.isEmpty()) {
            return Optional.empty();
        }
        if (states.size() < grid.places().size()) {
            throw LegacyGrid.damaged(states.size() + " of " + grid.places().size() + " files hold an optimizer");
        }
        ModelConfig config = ModelConfig.of(sidecars, args(grid));
        Family family = Family.load(config.modelType());
        LegacyReader reader = reader(grid, config, family);
        OptimizerJoin join =
                weights(config, args(grid), family, reader.read(), true).optimizer();
        JsonNode settings = LegacyStates.join(states, reader, join);
        return Optional.of(new OptimizerCheckpoint(
                legacy(grid, "Megatron legacy optimizer", join.tensors(), new LinkedHashMap<>(), List.of()), settings));
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
                String prefix = place.shard().prefix(i);
                chunks.get(i).forEach((name, tensor) -> locals.put(prefix + name, tensor));
            }
            views.put(place.rank(), StateDict.of(locals));
        }
        return views;
    }

    private SequencedMap<String, JoinedTensor> map(Weights weights) {
        ModelConfig config = weights.config();
        Vocabulary vocabulary = new Vocabulary(config, weights.args());
        SequencedMap<String, JoinedTensor> joined =
                new Mapping(weights.family(), config, vocabulary).map(weights.tensors());
        notes.addAll(vocabulary.notes());
        if (!config.hasConfig()) {
            notes.add(Note.information(
                    "no config.json was found: heads and vocabulary are taken from the checkpoint's args"));
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
        List<String> leftOut = dropped.stream().distinct().collect(Collectors.toCollection(ArrayList::new));
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
