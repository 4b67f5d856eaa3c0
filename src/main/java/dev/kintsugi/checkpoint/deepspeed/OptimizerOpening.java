package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.IndexedNames;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/// Puts an optimizer's state together, a tensor a parameter and state: `NAME.exp_avg`, `NAME.step`,
/// `NAME.fp32`.
final class OptimizerOpening {
    /// The state under which a parameter's master stands.
    private static final String MASTER = "fp32";

    private final TagStates tag;
    private final OpenOptions options;
    private final MappedFiles mapped;

    OptimizerOpening(TagStates tag, OpenOptions options, MappedFiles mapped) {
        this.tag = tag;
        this.options = options;
        this.mapped = mapped;
    }

    /// The tensors, and the state dict of the optimizer with its reader; nothing if there is none.
    record Parts(ModelJoin join, String format, int worldSize, Optional<Settings> settings) {}

    /// Where the settings are, and the parameters that each number in them stands for: one, or a flat buffer's.
    record Settings(Dict optimizer, TorchReader reader, List<List<String>> members) {}

    Optional<Parts> open() {
        if (tag.files().universal().isPresent()) {
            return Optional.of(universal(new UniversalFiles(
                    tag.files().universal().get(),
                    TagStates.savedWorldSize(tag.model()).orElse(1))));
        }
        if (tag.optimizers().isPresent()) {
            return Optional.of(zero(tag.optimizers().get()));
        }
        return Pickled.field(tag.model().root(), "optimizer")
                .flatMap(Pickled::dict)
                .map(this::whole);
    }

    private List<SequencedMap<String, Shape>> groups() {
        return tag.model().paramShapes().orElseGet(List::of);
    }

    private List<List<String>> groupNames() {
        return groups().stream().map(g -> List.copyOf(g.keySet())).toList();
    }

    private Parts zero(ZeroRanks ranks) {
        if (!ranks.absent().isEmpty() && !options.allowMissing()) {
            throw ranks.missing("");
        }
        ModelJoin join = new ModelJoin(ranks.worldSize(), DType.BF16);
        SequencedMap<String, List<Slice>> masters = ranks.masters(groups());
        addFlat(join, MASTER, ranks.masterDtype(), masters);
        Map<Integer, List<SequencedMap<String, StridedTensor>>> states = new HashMap<>();
        Set<String> vectors = new LinkedHashSet<>();
        Set<String> scalars = new LinkedHashSet<>();
        ranks.byRank().values().forEach(rank -> {
            List<SequencedMap<String, StridedTensor>> entries = entries(rank);
            entries.forEach(
                    e -> e.forEach((key, tensor) -> (tensor.spec().shape().ndim() == 0 ? scalars : vectors).add(key)));
            states.put(rank.rank(), entries);
        });
        for (String key : vectors) {
            SequencedMap<String, List<Slice>> slices = ranks.slices(
                    groups(),
                    (rank, index) -> Optional.ofNullable(states.getOrDefault(rank.rank(), List.of())
                                    .get(index)
                                    .get(key))
                            .map(t -> Stored.of(rank.rank(), rank.file(), t)));
            slices.values().stream()
                    .flatMap(List::stream)
                    .flatMap(s -> s.stored().stream())
                    .findFirst()
                    .ifPresent(s -> addFlat(join, key, s.tensor().spec().dtype(), slices));
        }
        for (String key : scalars) {
            masters.forEach((name, slices) ->
                    scalar(ranks, states, slices, key).ifPresent(stored -> join.whole(name + "." + key, stored)));
        }
        OptimizerStates first = ranks.byRank().firstEntry().getValue();
        return new Parts(
                join,
                "DeepSpeed ZeRO-" + (ranks.split() ? 3 : first.stage().orElse(1)) + " optimizer",
                ranks.worldSize(),
                first.base().map(b -> new Settings(b, first.reader(), groupNames())));
    }

    private static List<SequencedMap<String, StridedTensor>> entries(OptimizerStates rank) {
        List<SequencedMap<String, StridedTensor>> entries = new ArrayList<>();
        for (int index = 0; index < rank.flats().size(); index++) {
            int at = index;
            entries.add(rank.base()
                    .map(b -> StateReading.tensors(rank.reader(), b, at))
                    .orElseGet(LinkedHashMap::new));
        }
        return entries;
    }

    private void addFlat(ModelJoin join, String key, DType dtype, SequencedMap<String, List<Slice>> slices) {
        groups().forEach(group -> group.forEach((name, shape) -> join.flat(
                name + "." + key, new TensorSpec(dtype, shape), slices.getOrDefault(name, List.of()), "Flat")));
    }

    /// The scalar that stands beside the flat buffer in which a parameter's first element lies.
    private static Optional<Stored> scalar(
            ZeroRanks ranks,
            Map<Integer, List<SequencedMap<String, StridedTensor>>> states,
            List<Slice> slices,
            String key) {
        for (Slice slice : slices) {
            OptimizerStates rank = ranks.byRank().get(slice.rank());
            if (rank == null || slice.stored().isEmpty()) {
                continue;
            }
            for (int index = 0; index < rank.flats().size(); index++) {
                StridedTensor found =
                        states.getOrDefault(rank.rank(), List.of()).get(index).get(key);
                if (rank.flats().get(index) == slice.stored().get().tensor()
                        && found != null
                        && found.spec().shape().ndim() == 0) {
                    return Optional.of(Stored.of(-1, rank.file(), found));
                }
            }
        }
        return Optional.empty();
    }

    private Parts universal(UniversalFiles files) {
        ModelJoin join = new ModelJoin(1, DType.BF16);
        groups().forEach(group -> group.forEach((name, shape) -> {
            for (String state : files.states(name)) {
                Stored stored = files.read(name, state, mapped);
                Shape found = stored.tensor().spec().shape();
                String full = name + "." + state;
                if (found.ndim() == 0 || found.equals(shape)) {
                    join.whole(full, stored);
                } else {
                    DType dtype = stored.tensor().spec().dtype();
                    join.flat(full, new TensorSpec(dtype, shape), List.of(files.slice(full, shape, stored)), "Flat");
                }
            }
        }));
        return new Parts(join, "DeepSpeed universal optimizer", 1, files.settings(mapped, groupNames()));
    }

    /// Stage 0: whole tensors, numbered in the model's order.
    private Parts whole(Dict saved) {
        ModelStates model = tag.model();
        Dict optimizer = Pickled.field(saved, "optimizer_state_dict")
                .flatMap(Pickled::dict)
                .orElse(saved);
        SequencedMap<String, Shape> parameters = new LinkedHashMap<>();
        model.module().forEach((name, tensor) -> {
            boolean twice = SharedStorage.owner(model.module(), name, parameters::containsKey)
                    .isPresent();
            if (!twice && !model.bufferNames().contains(name)) {
                parameters.put(name, tensor.spec().shape());
            }
        });
        Map<Integer, SequencedMap<String, StridedTensor>> states = new LinkedHashMap<>();
        Map<Integer, Shape> shapes = new LinkedHashMap<>();
        for (int index = 0; index < parameters.size(); index++) {
            SequencedMap<String, StridedTensor> entry = StateReading.tensors(model.reader(), optimizer, index);
            masters(saved, model.reader(), parameters.size(), index).ifPresent(t -> entry.put(MASTER, t));
            states.put(index, entry);
            int at = index;
            entry.values().stream()
                    .map(t -> t.spec().shape())
                    .filter(s -> s.ndim() > 0)
                    .forEach(s -> shapes.put(at, s));
        }
        List<String> names = IndexedNames.of(model.file().name(), parameters, optimizer, shapes);
        ModelJoin join = new ModelJoin(1, DType.BF16);
        states.forEach((index, entry) -> entry.forEach(
                (key, tensor) -> join.whole(names.get(index) + "." + key, Stored.of(-1, model.file(), tensor))));
        return new Parts(
                join,
                "DeepSpeed optimizer",
                1,
                Optional.of(new Settings(
                        optimizer, model.reader(), names.stream().map(List::of).toList())));
    }

    /// The master of parameter `index` in a single group of as many masters as parameters.
    private static Optional<StridedTensor> masters(Dict saved, TorchReader reader, int count, int index) {
        List<PickleValue> groups = Pickled.field(saved, "fp32_groups")
                .map(g -> Pickled.items(g, "fp32_groups"))
                .orElseGet(List::of);
        if (groups.size() != 1) {
            return Optional.empty();
        }
        List<PickleValue> masters = Pickled.items(groups.getFirst(), "a group of masters");
        return masters.size() == count && reader.read(masters.get(index)) instanceof TorchValue.Plain plain
                ? Optional.of(plain.tensor())
                : Optional.empty();
    }
}
