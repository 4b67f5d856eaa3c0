package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.FlatBuffer;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;

/// One opening of a tag as a model, step by step.
final class Opening {
    private final TagStates tag;
    private final OpenOptions options;
    private final Job job;
    private final MappedFiles mapped;
    private final List<Note> notes;
    private final List<String> ignored;
    private final List<FlatBuffer> buffers = new ArrayList<>();

    Opening(TagStates tag, OpenOptions options, Job job, MappedFiles mapped) {
        this.tag = tag;
        this.options = options;
        this.job = job;
        this.mapped = mapped;
        this.notes = new ArrayList<>(tag.files().notes());
        this.ignored = new ArrayList<>(tag.files().ignored());
    }

    Checkpoint open() {
        ignored.addAll(tag.model().others());
        tag.damaged()
                .forEach((path, what) -> notes.add(Note.information(path.getFileName() + " cannot be read: " + what)));
        if (tag.files().universal().isPresent()) {
            return checkpoint(
                    "DeepSpeed universal",
                    1,
                    universal(new UniversalFiles(
                            tag.files().universal().get(),
                            TagStates.savedWorldSize(tag.model()).orElse(1))));
        }
        if (tag.optimizers().isPresent()) {
            ZeroRanks ranks = tag.optimizers().get();
            return checkpoint("DeepSpeed ZeRO-" + stage(ranks), ranks.worldSize(), zero(ranks));
        }
        return checkpoint("DeepSpeed", 1, module());
    }

    Optional<OptimizerCheckpoint> openOptimizer() {
        return new OptimizerOpening(tag, options, mapped).open().map(parts -> {
            if (!parts.join().holes().isEmpty()) {
                notes.add(Note.information(parts.join().holes().size() + " states are not there and are left out: "
                        + ModelJoin.some(parts.join().holes().keySet())));
            }
            Checkpoint state = checkpoint(parts.format(), parts.worldSize(), parts.join());
            return new OptimizerCheckpoint(state, OptimizerSettings.of(tag.model(), parts.settings()));
        });
    }

    private int stage(ZeroRanks ranks) {
        OptimizerStates first = ranks.byRank().firstEntry().getValue();
        if (ranks.split()) {
            return 3;
        }
        return first.stage().orElse(tag.model().stage().orElse(1));
    }

    private ModelJoin zero(ZeroRanks ranks) {
        List<SequencedMap<String, Shape>> groups = tag.model().paramShapes().orElseThrow(this::noShapes);
        if (!ranks.absent().isEmpty() && !options.allowMissing()) {
            throw ranks.missing("");
        }
        ModelJoin join = new ModelJoin(ranks.worldSize(), ranks.masterDtype());
        SequencedMap<String, List<Slice>> slices = ranks.masters(groups);
        buffers.addAll(ranks.buffers(groups));
        for (int group = 0; group < groups.size(); group++) {
            String placement = ranks.split() ? "Flat" : "Flat(group " + group + ")";
            groups.get(group)
                    .forEach((name, shape) -> join.flat(
                            name,
                            new TensorSpec(ranks.masterDtype(), shape),
                            slices.getOrDefault(name, List.of()),
                            placement));
        }
        ignored.add("exp_avg, exp_avg_sq and such in *_optim_states.pt (optimizer state)");
        addUnmastered(join, ranks.split(), ranks.worldSize());
        if (!join.holes().isEmpty()) {
            notes.add(Note.information(
                    join.holes().size() + " tensors have holes where ranks " + Ranks.text(ranks.absent())
                            + " are missing and are left out of the model: "
                            + ModelJoin.some(join.holes().keySet())));
        }
        return join;
    }

    private Fault noShapes() {
        return new Fault(
                Code.K4012,
                tag.model().file().name() + ": no param_shapes",
                "DeepSpeed before 0.5 did not write the order of the parameters in the flat buffers",
                "load it with the DeepSpeed that wrote it and save it again with a newer one");
    }

    /// Adds what has no master: frozen parameters, buffers, second names.
    private void addUnmastered(ModelJoin join, boolean split, int worldSize) {
        ModelStates model = tag.model();
        Map<String, String> shared = model.shared().orElse(Map.of());
        if (split) {
            new FrozenPieces(tag, options, worldSize).addTo(join);
        }
        model.module().forEach((name, tensor) -> {
            if (join.has(name) || shared.containsKey(name)) {
                return;
            }
            Stored stored = Stored.of(-1, model.file(), tensor);
            Optional<String> owner = SharedStorage.owner(model.module(), name, join::has);
            if (owner.isPresent()) {
                join.alias(name, owner.get());
            } else if (split
                    && tensor.spec().elementCount() == 0
                    && !model.bufferNames().contains(name)) {
                emptyParameter(name, model.shared().isPresent());
            } else {
                join.whole(name, checkedFrozen(name, stored));
            }
        });
        if (!split) {
            model.frozenFragments().forEach((name, tensor) -> {
                if (!join.has(name)) {
                    join.whole(name, checkedFrozen(name, Stored.of(-1, model.file(), tensor)));
                }
            });
        }
        shared.forEach((alias, owner) -> addAlias(join, shared, alias, owner));
    }

    private void emptyParameter(String name, boolean sharedKnown) {
        if (sharedKnown) {
            throw new Fault(
                    Code.K3102,
                    tag.model().file().name() + ": " + name + " is empty, and nothing says where its elements are",
                    "it is neither in param_shapes nor frozen nor shared",
                    "save the checkpoint again, with its frozen parameters");
        }
        ignored.add(name + " (empty: a second name of another parameter, or a frozen one)");
        notes.add(Note.information(
                name + " is empty in the files, which are too old to say why, and is left out of the model"));
    }

    private Stored checkedFrozen(String name, Stored stored) {
        Shape expected = tag.model().frozenShapes().get(name);
        Shape found = stored.tensor().spec().shape();
        if (expected != null && !expected.equals(found)) {
            throw new Fault(
                    Code.K3102,
                    tag.model().file().name() + ": frozen " + name + " is " + found + ", frozen_param_shapes says "
                            + expected,
                    "the file is damaged",
                    "copy it again");
        }
        return stored;
    }

    private void addAlias(ModelJoin join, Map<String, String> shared, String alias, String owner) {
        String root = owner;
        for (int hops = 0; hops < shared.size() && !join.has(root); hops++) {
            root = shared.getOrDefault(root, root);
        }
        if (!join.has(root)) {
            throw new Fault(
                    Code.K3102,
                    tag.model().file().name() + ": " + alias + " is shared with " + owner + ", which is not there",
                    "the file is damaged",
                    "copy it again");
        }
        join.alias(alias, root);
    }

    private ModelJoin universal(UniversalFiles files) {
        List<SequencedMap<String, Shape>> groups = tag.model().paramShapes().orElseThrow(this::noShapes);
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        groups.forEach(shapes::putAll);
        Set<String> extra = new TreeSet<>(files.parameters());
        extra.removeAll(shapes.keySet());
        if (!extra.isEmpty()) {
            throw new Fault(
                    Code.K3102,
                    files.directory() + ": " + String.join(", ", extra) + " is in no group of the model states",
                    "two conversions share a directory",
                    "convert the checkpoint again into an empty directory");
        }
        List<Stored> stored = Parallel.map(job, List.copyOf(shapes.keySet()), name -> files.read(name, "fp32", mapped));
        DType master =
                stored.isEmpty() ? DType.F32 : stored.getFirst().tensor().spec().dtype();
        ModelJoin join = new ModelJoin(1, master);
        int index = 0;
        for (Map.Entry<String, Shape> parameter : shapes.entrySet()) {
            String name = parameter.getKey();
            Slice slice = files.slice(name, parameter.getValue(), stored.get(index++));
            if (parameter
                    .getValue()
                    .equals(slice.stored().orElseThrow().tensor().spec().shape())) {
                join.whole(name, slice.stored().orElseThrow());
            } else {
                join.flat(name, new TensorSpec(master, parameter.getValue()), List.of(slice), "Flat");
            }
        }
        ignored.add("exp_avg.pt, exp_avg_sq.pt, step.pt of each parameter (optimizer state)");
        boolean split = !tag.files().model().isEmpty();
        addUnmastered(join, split, files.savedWorldSize());
        return join;
    }

    /// No flat buffers: the module is the model.
    private ModelJoin module() {
        ModelStates model = tag.model();
        boolean zero = model.paramShapes().isPresent();
        Optional<String> empty = model.module().entrySet().stream()
                .filter(e -> e.getValue().spec().elementCount() == 0
                        && !model.bufferNames().contains(e.getKey()))
                .map(Map.Entry::getKey)
                .findFirst();
        if (empty.isPresent() && (zero || !tag.files().model().isEmpty())) {
            throw new Fault(
                    Code.K3001,
                    model.file().name() + ": " + empty.get() + " is empty, and there is no *_optim_states.pt",
                    "at stage 3 the weights lie in the files of the optimizer",
                    "copy all *_optim_states.pt of this tag");
        }
        if (zero) {
            notes.add(Note.information(
                    "there are no *_optim_states.pt: the weights are those of the module, in the dtype of training"));
        }
        ModelJoin join = new ModelJoin(1, DType.BF16);
        model.module().forEach((name, tensor) -> join.whole(name, Stored.of(-1, model.file(), tensor)));
        return join;
    }

    private Checkpoint checkpoint(String format, int worldSize, ModelJoin join) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>(join.holes());
        for (Map.Entry<String, JoinedTensor> entry :
                join.joined(tag.model().module().keySet()).entrySet()) {
            tensors.put(entry.getKey(), entry.getValue().tensor());
            layouts.put(entry.getKey(), entry.getValue().layout());
        }
        notes.addAll(join.notes());
        SequencedMap<Integer, StateDict> ranks = join.ranks();
        ranks.remove(-1);
        tag.model().bufferNames().forEach(name -> layouts.computeIfPresent(name, (n, layout) -> layout.asBuffer()));
        List<ShardFile> files = new TagListing(tag, mapped).files(layouts);
        return new Checkpoint(
                format,
                tag.files().directories(),
                worldSize,
                worldSize > 1 ? Optional.of(DeviceMesh.dense(List.of("dp"), Shape.of(worldSize))) : Optional.empty(),
                files,
                StateDict.of(tensors),
                layouts,
                ranks,
                Sidecars.find(tag.files().directories(), options),
                notes,
                List.copyOf(join.holes().keySet()),
                ignored,
                tag.model().version().map(v -> "DeepSpeed " + v),
                buffers,
                mapped);
    }
}
