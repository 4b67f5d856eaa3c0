package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.IndexedNames;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.PickledJson;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.DTensor;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.ShardedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
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
import java.util.SortedMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The optimizer's state in `optim_world_size_W_rank_R.pt`, joined over the ranks as the model is.
///
/// States stand under the name of their parameter, or under its number; numbers are named after `model`'s
/// tensors.
record OptimizerFiles(Checkpoint model, SortedMap<Integer, Path> paths, OpenOptions options, MappedFiles mapped) {

    /// One rank's file: its state dict with the reader of the values in it.
    private record Part(int rank, MappedFile file, Dict root, TorchReader reader) {
        Dict states() {
            return Pickled.entries(Pickled.require(root, "an optimizer's state dict", "state"), "its state");
        }
    }

    OptimizerCheckpoint open(Job job) {
        List<Part> parts = Parallel.map(job, List.copyOf(paths.entrySet()), e -> read(e.getKey(), e.getValue()));
        List<String> numbered = names(parts.getFirst());
        List<RankPart> ranks = parts.stream().map(p -> flatten(p, numbered)).toList();
        Set<String> names = new LinkedHashSet<>();
        ranks.forEach(r -> names.addAll(r.values().keySet()));
        List<Note> notes = new ArrayList<>();
        RankFiles files = new RankFiles(model.worldSize(), paths, Optional.empty(), true, List.of());
        RankJoin join = new RankJoin(files, options, List.copyOf(files.missing()), notes);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, Layout> layouts = new LinkedHashMap<>();
        for (String name : names) {
            Map<RankPart, TorchValue> values = new LinkedHashMap<>();
            for (RankPart rank : ranks) {
                Optional.ofNullable(rank.values().get(name)).ifPresent(v -> values.put(rank, v));
            }
            JoinedTensor joined = join.join(name, values, ranks.size());
            tensors.put(name, joined.tensor());
            layouts.put(name, joined.layout());
        }
        join.finish();
        return new OptimizerCheckpoint(
                checkpoint(ranks, tensors, layouts, notes), settings(parts.getFirst(), numbered));
    }

    private Part read(int rank, Path path) {
        MappedFile file = mapped.open(path);
        try {
            TorchFile torch = TorchFile.open(file);
            return new Part(
                    rank,
                    file,
                    Pickled.entries(torch.root(), "an optimizer's state dict"),
                    new TorchReader(torch, OptionalInt.of(rank)));
        } catch (Fault fault) {
            throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
        }
    }

    /// The names of numbered parameters; empty where they have names.
    private List<String> names(Part part) {
        Dict states = part.states();
        Map<Integer, Shape> shapes = new LinkedHashMap<>();
        for (int i = 0; i < states.size(); i++) {
            if (states.keys().get(i) instanceof Text) {
                return List.of();
            }
            int number = Math.clamp(Pickled.number(states.keys().get(i), "a parameter's number"), -1, 1 << 30);
            Dict entry = Pickled.entries(states.values().get(i), "a parameter's state");
            for (PickleValue value : entry.values()) {
                shape(part.reader().read(value)).filter(s -> s.ndim() > 0).ifPresent(s -> shapes.put(number, s));
            }
        }
        return IndexedNames.of(part.file().name(), parameters(), part.root(), shapes);
    }

    /// The model's tensors without second names of one storage.
    private SequencedMap<String, Shape> parameters() {
        SequencedMap<String, Shape> parameters = new LinkedHashMap<>();
        Set<List<Object>> seen = new LinkedHashSet<>();
        model.tensors().tensors().forEach((name, tensor) -> {
            Layout layout = model.layouts().get(name);
            List<Object> places = new ArrayList<>();
            if (layout != null) {
                layout.pieces().forEach(p -> places.add(List.of(p.file(), p.byteOffset(), p.global())));
            }
            if (places.isEmpty() || seen.add(places)) {
                parameters.put(name, tensor.spec().shape());
            }
        });
        return parameters;
    }

    private static Optional<Shape> shape(TorchValue value) {
        return switch (value) {
            case DTensor distributed -> Optional.of(distributed.spec().shape());
            case ShardedTensor sharded -> Optional.of(sharded.spec().shape());
            case TorchValue.Plain plain -> Optional.of(plain.tensor().spec().shape());
            case TorchValue.Other other -> Optional.empty();
        };
    }

    private static RankPart flatten(Part part, List<String> numbered) {
        Dict states = part.states();
        SequencedMap<String, TorchValue> values = new LinkedHashMap<>();
        for (int i = 0; i < states.size(); i++) {
            String parameter = name(states.keys().get(i), numbered);
            Dict entry = Pickled.entries(states.values().get(i), "the state of " + parameter);
            for (int k = 0; k < entry.size(); k++) {
                String state = Pickled.text(entry.keys().get(k), "the name of an optimizer's state");
                TorchValue value = part.reader().read(entry.values().get(k));
                if (!(value instanceof TorchValue.Other)) {
                    values.put(parameter + "." + state, value);
                }
            }
        }
        return new RankPart(part.rank(), part.file(), values);
    }

    private static String name(PickleValue key, List<String> numbered) {
        if (key instanceof Text text) {
            return text.value();
        }
        long number = Pickled.number(key, "a parameter's number");
        if (number < 0 || number >= numbered.size()) {
            throw new Fault(
                    Code.K3003,
                    "parameter " + number + " of " + numbered.size() + " in one rank's optimizer state",
                    "files of different runs are mixed",
                    "copy all optim_world_size_* files of this step again");
        }
        return numbered.get((int) number);
    }

    private JsonNode settings(Part part, List<String> numbered) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        Pickled.field(part.root(), "param_groups")
                .ifPresent(g -> json.set("param_groups", new PickledJson(part.reader()).of(g)));
        extraState()
                .ifPresent(extra -> Pickled.field(extra.root(), "lr_scheduler")
                        .ifPresent(v -> json.set("lr_scheduler", new PickledJson(extra.reader()).of(v))));
        for (JsonNode group : json.path("param_groups")) {
            if (group instanceof ObjectNode object && !numbered.isEmpty()) {
                ArrayNode names = object.putArray("params");
                numbered.forEach(names::add);
            }
        }
        return json;
    }

    /// What the first rank keeps besides tensors, if its file is there.
    private Optional<Part> extraState() {
        Path optimizer = paths.firstEntry().getValue();
        Path extra =
                optimizer.resolveSibling(String.valueOf(optimizer.getFileName()).replaceFirst("^optim", "extra_state"));
        return Files.isRegularFile(extra) ? Optional.of(read(paths.firstKey(), extra)) : Optional.empty();
    }

    private Checkpoint checkpoint(
            List<RankPart> ranks, SequencedMap<String, Tensor> tensors, Map<String, Layout> layouts, List<Note> notes) {
        List<ShardFile> files = ranks.stream()
                .map(r -> new ShardFile(
                        r.file().path(),
                        OptionalInt.of(r.rank()),
                        r.values().size(),
                        r.file().byteCount(),
                        r.file().modifiedMillis(),
                        "ok"))
                .toList();
        return new Checkpoint(
                model.format() + " optimizer",
                model.directories(),
                model.worldSize(),
                model.mesh(),
                files,
                StateDict.of(tensors),
                layouts,
                new LinkedHashMap<>(),
                model.sidecars(),
                notes,
                List.of(),
                model.writtenBy(),
                mapped);
    }
}
