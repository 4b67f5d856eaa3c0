package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Collectors;

/// What a `*_model_states.pt` says.
///
/// @param rank the data parallel rank that wrote it
/// @param module the module's state dict; at stage 3 parameters are empty in it
/// @param bufferNames which of its entries are buffers
/// @param paramShapes the order of the flat data, one map a parameter group; absent at stage 0
/// @param frozenShapes shapes of parameters that have no master
/// @param frozenFragments those parameters: whole at stage 2, this rank's flat piece at stage 3
/// @param shared alias to owner; absent in files of versions that did not write it
/// @param stage what `ds_config` says
/// @param steps how many the engine had made
/// @param others entries of the module that are no tensors
/// @param root all of it, for what else is in it
record ModelStates(
        int rank,
        MappedFile file,
        SequencedMap<String, StridedTensor> module,
        Set<String> bufferNames,
        Optional<List<SequencedMap<String, Shape>>> paramShapes,
        Map<String, Shape> frozenShapes,
        Map<String, StridedTensor> frozenFragments,
        Optional<Map<String, String>> shared,
        OptionalInt stage,
        OptionalLong steps,
        Optional<String> version,
        List<String> others,
        Dict root,
        TorchReader reader) {

    /// Reads `file`, which data parallel rank `rank` wrote.
    ///
    /// **Errors.** [Fault] `K2204` for another layout, `K4012` where model parallel ranks wrote it.
    static ModelStates read(MappedFile file, int rank) {
        try {
            TorchFile torch = TorchFile.open(file);
            return read(file, rank, torch);
        } catch (Fault fault) {
            throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
        }
    }

    private static ModelStates read(MappedFile file, int rank, TorchFile torch) {
        Dict root = Pickled.entries(torch.root(), "a file of model states");
        TorchReader reader = new TorchReader(torch, OptionalInt.empty());
        checkNotModelParallel(root);
        List<String> others = new ArrayList<>();
        PickleValue module = Pickled.field(root, "module", "model").orElseThrow(ModelStates::noModule);
        return new ModelStates(
                rank,
                file,
                tensors(reader, module, "the module", others),
                Pickled.field(root, "buffer_names").map(ModelStates::names).orElseGet(Set::of),
                Pickled.field(root, "param_shapes").map(ModelStates::groups),
                Pickled.field(root, "frozen_param_shapes")
                        .map(ModelStates::shapes)
                        .orElseGet(LinkedHashMap::new),
                Pickled.field(root, "frozen_param_fragments")
                        .map(f -> tensors(reader, f, "the frozen parameters", others))
                        .orElseGet(LinkedHashMap::new),
                Pickled.field(root, "shared_params").map(ModelStates::aliases),
                stage(root),
                steps(root),
                Pickled.field(root, "ds_version")
                        .flatMap(v -> v instanceof Text text ? Optional.of(text.value()) : Optional.empty()),
                others,
                root,
                reader);
    }

    private static Fault noModule() {
        return new Fault(
                Code.K4012,
                "no module in it: the layers lie in files of their own",
                "DeepSpeed's pipeline parallelism saves layer by layer under names without the model's",
                "convert it in the training job, or save without pipeline parallelism");
    }

    private static void checkNotModelParallel(Dict root) {
        Optional<PickleValue> size = Pickled.field(root, "mp_world_size");
        if (size.isPresent() && Pickled.number(size.get(), "mp_world_size") > 1) {
            throw new Fault(
                    Code.K4012,
                    "mp_world_size is " + Pickled.describe(size.get()) + ": tensor parallel ranks wrote it",
                    "each holds a slice of every weight, and which slice is not in the files",
                    "gather it in the training job, or save without tensor parallelism");
        }
    }

    private static SequencedMap<String, StridedTensor> tensors(
            TorchReader reader, PickleValue value, String role, List<String> others) {
        Dict dict = Pickled.entries(value, role);
        SequencedMap<String, StridedTensor> tensors = new LinkedHashMap<>();
        for (int i = 0; i < dict.size(); i++) {
            String name = Pickled.text(dict.keys().get(i), "a name in " + role);
            try {
                if (reader.read(dict.values().get(i)) instanceof TorchValue.Plain plain) {
                    tensors.put(name, plain.tensor());
                } else {
                    others.add(name + " (no tensor)");
                }
            } catch (Fault fault) {
                throw fault.at(name);
            }
        }
        return tensors;
    }

    /// One map a group; the first versions had a single one for all.
    private static List<SequencedMap<String, Shape>> groups(PickleValue value) {
        if (Pickled.dict(value).isPresent()) {
            return List.of(shapes(value));
        }
        return Pickled.items(value, "param_shapes").stream()
                .map(ModelStates::shapes)
                .toList();
    }

    private static SequencedMap<String, Shape> shapes(PickleValue value) {
        Dict dict = Pickled.entries(value, "a group of param_shapes");
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        for (int i = 0; i < dict.size(); i++) {
            String name = Pickled.text(dict.keys().get(i), "a name in param_shapes");
            shapes.put(name, Pickled.shape(dict.values().get(i), "the shape of " + name));
        }
        return shapes;
    }

    private static Set<String> names(PickleValue value) {
        return Pickled.items(value, "buffer_names").stream()
                .map(v -> Pickled.text(v, "the name of a buffer"))
                .collect(Collectors.toSet());
    }

    private static Map<String, String> aliases(PickleValue value) {
        Dict dict = Pickled.entries(value, "shared_params");
        SequencedMap<String, String> aliases = new LinkedHashMap<>();
        for (int i = 0; i < dict.size(); i++) {
            aliases.put(
                    Pickled.text(dict.keys().get(i), "a shared parameter"),
                    Pickled.text(dict.values().get(i), "the owner of a shared parameter"));
        }
        return aliases;
    }

    private static OptionalInt stage(Dict root) {
        Optional<PickleValue> stage = Pickled.field(root, "ds_config")
                .flatMap(Pickled::dict)
                .flatMap(c -> Pickled.field(c, "zero_optimization"))
                .flatMap(Pickled::dict)
                .flatMap(z -> Pickled.field(z, "stage"));
        return stage.isPresent() ? OptimizerStates.stage(stage.get()) : OptionalInt.empty();
    }

    private static OptionalLong steps(Dict root) {
        Optional<PickleValue> steps = Pickled.field(root, "global_steps");
        return steps.isPresent() ? OptionalLong.of(Pickled.number(steps.get(), "global_steps")) : OptionalLong.empty();
    }
}
