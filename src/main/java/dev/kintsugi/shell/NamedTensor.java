package dev.kintsugi.shell;

import dev.kintsugi.architecture.Origin;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.selector.Selector;
import dev.kintsugi.selector.Subject;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;

/// The one tensor that a command's words name: `[MODEL] TENSOR`.
///
/// @param name its name on disk, or where it has none its name in the files
/// @param stored its name in the files; where it is made of several, that of the first
record NamedTensor(Model model, String name, String stored, Tensor tensor) {
    /// With two words the first is the model, with one the model is the one in use.
    ///
    /// **Errors.** [Fault] `K1003`, `K1004`, `K1005` with the nearest names.
    static NamedTensor of(List<String> words, Session session) {
        if (words.size() == 1 && session.find(words.getFirst()).isPresent()) {
            throw new Fault(
                    Code.K1003,
                    "which tensor of " + words.getFirst() + "?",
                    "the command looks at one",
                    "name one behind the model; list them with: tensors " + words.getFirst());
        }
        Model model = words.size() > 1 ? session.model(words.getFirst()) : session.model();
        return of(model, words.getLast());
    }

    /// The tensor whose name is `text`, or ends with it from a segment on, on disk or in the files.
    static NamedTensor of(Model model, String text) {
        StateDict tensors = model.tensors();
        Map<String, Origin> origins = model.hub().origins();
        Optional<StateDict> files = model.checkpoint().map(Checkpoint::tensors);
        if (tensors.has(text)) {
            return onDisk(model, text, origins);
        }
        for (Map.Entry<String, Origin> origin : origins.entrySet()) {
            if (origin.getValue().stored().contains(text) && tensors.has(origin.getKey())) {
                return onDisk(model, origin.getKey(), origins);
            }
        }
        if (files.isPresent() && files.get().has(text)) {
            return new NamedTensor(model, text, text, files.get().tensor(text));
        }
        SequencedMap<String, Layout> holes = holes(model);
        Set<String> fitting = holes.containsKey(text) ? Set.of(text) : fitting(text, tensors, holes);
        if (fitting.size() == 1) {
            String name = fitting.iterator().next();
            return tensors.has(name) ? onDisk(model, name, origins) : hole(model, name);
        }
        if (fitting.size() > 1) {
            String first = fitting.iterator().next();
            throw new Fault(
                    Code.K1005,
                    text + " names " + fitting.size() + " tensors of " + model.name(),
                    "they are " + String.join(", ", fitting.stream().limit(3).toList())
                            + (fitting.size() > 3 ? ", …" : "") + "; the command looks at one",
                    "name one: " + first);
        }
        throw none(model, text, tensors, holes);
    }

    /// How the tensors lie that are left out of `model` because missing ranks hold parts of them.
    static SequencedMap<String, Layout> holes(Model model) {
        SequencedMap<String, Layout> holes = new LinkedHashMap<>();
        model.checkpoint()
                .ifPresent(c -> c.holes()
                        .forEach(name -> Optional.ofNullable(c.layouts().get(name))
                                .ifPresent(layout -> holes.put(name, layout))));
        return holes;
    }

    private static NamedTensor hole(Model model, String name) {
        Layout layout = Objects.requireNonNull(holes(model).get(name));
        return new NamedTensor(model, name, name, new HoleTensor(model.name(), name, layout));
    }

    private static Set<String> fitting(String text, StateDict tensors, Map<String, Layout> holes) {
        Selector selector = Selector.parse(List.of(text));
        Set<String> fitting =
                new TreeSet<>(Comparator.comparingInt(String::length).thenComparing(n -> n));
        tensors.tensors().forEach((name, tensor) -> {
            if (selector.test(Subject.of(name, tensor.spec()))) {
                fitting.add(name);
            }
        });
        holes.forEach((name, layout) -> {
            if (selector.test(Subject.of(name, layout.spec()))) {
                fitting.add(name);
            }
        });
        return fitting;
    }

    private static NamedTensor onDisk(Model model, String name, Map<String, Origin> origins) {
        Origin origin = origins.get(name);
        String stored = origin == null ? name : origin.stored().getFirst();
        return new NamedTensor(model, name, stored, model.tensors().tensor(name));
    }

    private static Fault none(Model model, String text, StateDict tensors, Map<String, Layout> holes) {
        List<String> names = new ArrayList<>(tensors.names());
        names.addAll(holes.keySet());
        List<String> near = Nearest.to(text, names, 3);
        return new Fault(
                Code.K1005,
                model.name() + " has no tensor " + text,
                near.isEmpty()
                        ? "it has " + Counted.of(tensors.size(), "tensor")
                        : "the nearest are " + String.join(", ", near),
                near.isEmpty() ? "list them with: tensors " + model.name() : "did you mean " + near.getFirst() + "?");
    }

    /// How it lies over the ranks, where it comes whole from the files of a checkpoint.
    Optional<Layout> layout() {
        return model.checkpoint().flatMap(c -> Optional.ofNullable(c.layouts().get(stored)));
    }
}
