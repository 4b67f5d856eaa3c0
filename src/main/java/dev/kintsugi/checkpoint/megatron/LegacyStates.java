package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.ParameterNumbers.Group;
import dev.kintsugi.checkpoint.megatron.ParameterNumbers.Parameter;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// The optimizer in one `model_optim_rng.pt`, its numbers turned into the names of the file's weights.
///
/// Masters prove the numbering: rounded to the weights' dtype they are the weights.
///
/// @param chunkCount virtual stages
/// @param root the file
/// @param parts the optimizers in it
/// @param groups the weights of each parameter group of all parts, a map for each virtual stage
/// @param states the states shaped like their parameters, by key; a map for each virtual stage
/// @param scalars the others, such as `step`
record LegacyStates(
        int chunkCount,
        Dict root,
        TorchReader reader,
        List<OptimizerPart> parts,
        List<List<SequencedMap<String, StridedTensor>>> groups,
        SequencedMap<String, List<SequencedMap<String, StridedTensor>>> states,
        SequencedMap<String, List<SequencedMap<String, StridedTensor>>> scalars) {
    private static final int PROOF_ELEMENTS = 4096;
    private static final String MASTERS = "fp32_from_fp16_params";

    /// What the file of `shard` holds; nothing if the job saved no optimizer.
    ///
    /// **Errors.** [Fault] `K4012` for the distributed optimizer's files, and where the parameters cannot be
    /// named.
    static Optional<LegacyStates> read(LegacyShard shard, Names names) {
        String place = shard.directory().name() + "/" + shard.file().name();
        shard.directory().besides().stream()
                .filter(b -> b.endsWith("/distrib_optim.pt") || b.endsWith("/optim.pt"))
                .findFirst()
                .ifPresent(b -> {
                    throw distributed(b);
                });
        TorchFile file = TorchFile.open(place, shard.file(), 0, shard.file().byteCount());
        try {
            Dict root = TorchStateDict.entries(file.root());
            return Pickled.field(root, "optimizer")
                    .map(o -> new Reading(shard, place, root, new TorchReader(file, OptionalInt.empty()), names)
                            .read(OptimizerPart.of(o)));
        } catch (Fault fault) {
            throw fault.what().startsWith(shard.directory().name()) ? fault : fault.at(place);
        }
    }

    /// Adds what the files hold, in the order of the grid's places, to `join`.
    ///
    /// Returns the settings, with the members of the groups over all files.
    static JsonNode join(List<LegacyStates> files, LegacyReader reader, OptimizerJoin join) {
        LegacyStates first = files.getFirst();
        Set<String> keys = new LinkedHashSet<>();
        files.forEach(f -> keys.addAll(f.states().keySet()));
        for (String key : keys) {
            join.add(
                    key,
                    reader.read(
                            p -> files.get(p.rank()).chunks(files.get(p.rank()).states(), key)));
        }
        Set<String> scalars = new LinkedHashSet<>();
        files.forEach(f -> scalars.addAll(f.scalars().keySet()));
        for (String key : scalars) {
            reader.scalars(p -> files.get(p.rank()).chunks(files.get(p.rank()).scalars(), key))
                    .forEach((name, part) -> join.addScalar(key, name, part));
        }
        List<List<String>> members = new ArrayList<>();
        for (int i = 0; i < first.groups().size(); i++) {
            int group = i;
            if (files.stream().anyMatch(f -> f.groups().size() != first.groups().size())) {
                throw LegacyGrid.damaged("the optimizers of two files have different numbers of parameter groups");
            }
            members.add(reader.names(p -> files.get(p.rank()).groups().get(group)).stream()
                    .flatMap(n -> join.names(n).stream())
                    .toList());
        }
        return OptimizerSettings.of(first.root(), first.parts(), first.reader(), members);
    }

    private List<SequencedMap<String, StridedTensor>> chunks(
            SequencedMap<String, List<SequencedMap<String, StridedTensor>>> states, String key) {
        return states.getOrDefault(key, empty());
    }

    private List<SequencedMap<String, StridedTensor>> empty() {
        return Collections.nCopies(chunkCount, new LinkedHashMap<>());
    }

    private static Fault distributed(String place) {
        return OptimizerJoin.distributed(
                place + ": the state of Megatron's distributed optimizer",
                "it is flat buffers split over data-parallel ranks, and what is where in them is not in the files");
    }

    /// One reading of a file.
    private record Reading(LegacyShard shard, String place, Dict root, TorchReader reader, Names names) {
        /// One group with what the file holds of its members, in the order of their numbers.
        private record Members(List<SequencedMap<String, StridedTensor>> states, List<StridedTensor> masters) {}

        LegacyStates read(List<OptimizerPart> parts) {
            List<Members> members = new ArrayList<>();
            parts.forEach(p -> members.addAll(members(p)));
            List<List<Parameter>> assigned = ParameterNumbers.assign(
                    place, parameters(), members.stream().map(Reading::group).toList());
            LegacyStates found = new LegacyStates(
                    shard.chunks().size(),
                    root,
                    reader,
                    parts,
                    new ArrayList<>(),
                    new LinkedHashMap<>(),
                    new LinkedHashMap<>());
            for (int i = 0; i < members.size(); i++) {
                List<SequencedMap<String, StridedTensor>> weights = chunks();
                assigned.get(i).forEach(p -> weights.get(p.chunk()).put(p.storedName(), p.weight()));
                found.groups().add(weights);
                add(found, assigned.get(i), members.get(i));
            }
            return found;
        }

        private List<SequencedMap<String, StridedTensor>> chunks() {
            List<SequencedMap<String, StridedTensor>> chunks = new ArrayList<>();
            shard.chunks().forEach(c -> chunks.add(new LinkedHashMap<>()));
            return chunks;
        }

        /// The model's parameters in its order. Buffers that are saved with them are none.
        private List<Parameter> parameters() {
            List<Parameter> parameters = new ArrayList<>();
            for (int chunk = 0; chunk < shard.chunks().size(); chunk++) {
                for (Map.Entry<String, StridedTensor> entry :
                        shard.chunks().get(chunk).entrySet()) {
                    String name = names.canonical(entry.getKey());
                    if (!name.endsWith(".expert_bias")) {
                        parameters.add(new Parameter(chunk, entry.getKey(), name, entry.getValue()));
                    }
                }
            }
            return parameters;
        }

        private List<Members> members(OptimizerPart part) {
            Dict states = part.states().orElseThrow(() -> distributed(place));
            Map<Long, Dict> byNumber = new HashMap<>();
            for (int i = 0; i < states.size(); i++) {
                byNumber.put(
                        Pickled.number(states.keys().get(i), "a parameter's number"),
                        Pickled.entries(states.values().get(i), "a parameter's state"));
            }
            List<List<StridedTensor>> masters = masters(part);
            List<Members> members = new ArrayList<>();
            for (Dict group : part.groups()) {
                List<SequencedMap<String, StridedTensor>> own = new ArrayList<>();
                for (PickleValue number : Pickled.items(
                        Pickled.field(group, "params").orElseThrow(() -> distributed(place)),
                        "the parameters of a group")) {
                    Optional<Dict> state =
                            Optional.ofNullable(byNumber.remove(Pickled.number(number, "a parameter's number")));
                    own.add(state.map(this::tensors).orElseGet(LinkedHashMap::new));
                }
                members.add(
                        new Members(own, members.size() < masters.size() ? masters.get(members.size()) : List.of()));
            }
            if (!byNumber.isEmpty()) {
                throw OptimizerJoin.refused(
                        place + ": states of parameters " + byNumber.keySet() + ", which are in no group",
                        "the optimizer is not one of Megatron's");
            }
            return members;
        }

        private SequencedMap<String, StridedTensor> tensors(Dict entry) {
            SequencedMap<String, StridedTensor> tensors = new LinkedHashMap<>();
            for (int i = 0; i < entry.size(); i++) {
                if (reader.read(entry.values().get(i)) instanceof TorchValue.Plain plain) {
                    tensors.put(Pickled.text(entry.keys().get(i), "the name of a state"), plain.tensor());
                }
            }
            return tensors;
        }

        private List<List<StridedTensor>> masters(OptimizerPart part) {
            List<List<StridedTensor>> masters = new ArrayList<>();
            for (PickleValue group : Pickled.field(part.outer(), MASTERS)
                    .map(m -> Pickled.items(m, MASTERS))
                    .orElseGet(List::of)) {
                List<StridedTensor> own = new ArrayList<>();
                for (PickleValue master : Pickled.items(group, "a group of masters")) {
                    if (!(reader.read(master) instanceof TorchValue.Plain plain)) {
                        throw Pickled.fault("a master that is " + Pickled.describe(master));
                    }
                    own.add(plain.tensor());
                }
                masters.add(own);
            }
            return masters;
        }

        private static Group group(Members members) {
            return new Group(members.states().stream()
                    .map(s -> s.values().stream()
                            .map(t -> t.spec().shape())
                            .filter(shape -> shape.ndim() > 0)
                            .findFirst())
                    .toList());
        }

        private void add(LegacyStates found, List<Parameter> parameters, Members members) {
            for (int i = 0; i < parameters.size(); i++) {
                Parameter parameter = parameters.get(i);
                members.states().get(i).forEach((state, tensor) -> {
                    Shape shape = tensor.spec().shape();
                    if (shape.equals(parameter.weight().spec().shape())) {
                        put(found.states(), state, parameter, tensor);
                    } else if (shape.ndim() == 0) {
                        put(found.scalars(), state, parameter, tensor);
                    } else {
                        throw misfit(parameter, state + " is " + tensor.spec());
                    }
                });
            }
            if (members.masters().isEmpty()) {
                return;
            }
            List<Parameter> halves = parameters.stream()
                    .filter(p -> p.weight().spec().dtype() == DType.BF16
                            || p.weight().spec().dtype() == DType.F16)
                    .toList();
            if (halves.size() != members.masters().size()) {
                throw OptimizerJoin.refused(
                        place + ": " + members.masters().size() + " masters of " + halves.size() + " parameters",
                        "the optimizer is not one of Megatron's");
            }
            for (int i = 0; i < halves.size(); i++) {
                prove(halves.get(i), members.masters().get(i));
                put(
                        found.states(),
                        OptimizerJoin.MASTER,
                        halves.get(i),
                        members.masters().get(i));
            }
        }

        private void put(
                SequencedMap<String, List<SequencedMap<String, StridedTensor>>> into,
                String state,
                Parameter parameter,
                StridedTensor tensor) {
            into.computeIfAbsent(state, s -> chunks()).get(parameter.chunk()).put(parameter.storedName(), tensor);
        }

        /// The first elements of `master` must round to those of the weight.
        private void prove(Parameter parameter, StridedTensor master) {
            Shape shape = parameter.weight().spec().shape();
            if (!master.spec().shape().equals(shape) || master.spec().dtype() != DType.F32) {
                throw misfit(parameter, "its master is " + master.spec());
            }
            int count = (int) Math.min(PROOF_ELEMENTS, shape.elementCount());
            DType dtype = parameter.weight().spec().dtype();
            MemorySegment rounded = MemorySegment.ofArray(new byte[count * dtype.byteWidth()]);
            Elements.fromFloats(dtype, floats(master, count), rounded, count);
            float[] expected = new float[count];
            Elements.toFloats(dtype, rounded, expected, count);
            if (!Arrays.equals(expected, floats(parameter.weight(), count))) {
                throw misfit(parameter, "its master does not round to it");
            }
        }

        private static float[] floats(Tensor tensor, int count) {
            DType dtype = tensor.spec().dtype();
            MemorySegment bytes = MemorySegment.ofArray(new byte[count * dtype.byteWidth()]);
            tensor.read(0, count, bytes);
            float[] floats = new float[count];
            Elements.toFloats(dtype, bytes, floats, count);
            return floats;
        }

        private Fault misfit(Parameter parameter, String what) {
            return OptimizerJoin.refused(
                    place + ": " + parameter.storedName() + " is "
                            + parameter.weight().spec() + ", " + what,
                    "the numbers of the optimizer's parameters are not in the order of the model");
        }
    }
}
