package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.selector.Selector;
import dev.kintsugi.selector.Subject;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;

/// The model and the tensors that a command's words choose: `[MODEL] [SEL…]`.
record Choice(Model model, Selector selector) {
    /// The first word is a model if one is open under it, else all words select tensors of the model in use.
    static Choice of(List<String> words, Session session) {
        boolean named = !words.isEmpty() && session.names(words.getFirst());
        boolean looksLikeOne = !words.isEmpty() && !named && session.models().isEmpty();
        if (looksLikeOne) {
            session.model(words.getFirst());
        }
        Model model = named ? session.model(words.getFirst()) : session.model();
        return new Choice(model, Selector.parse(named ? words.subList(1, words.size()) : words));
    }

    /// The chosen tensors. **Errors.** [Fault] `K1005` with the nearest names if there is none.
    SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> chosen = new LinkedHashMap<>();
        Map<String, Layout> layouts = layouts();
        model.tensors().tensors().forEach((name, tensor) -> {
            if (selector.test(subject(name, tensor.spec(), Optional.ofNullable(layouts.get(name))))) {
                chosen.put(name, tensor);
            }
        });
        if (chosen.isEmpty()) {
            throw none(model.tensors().names());
        }
        return chosen;
    }

    /// The layout of each tensor by its name on disk, where it comes whole from one of the files.
    private Map<String, Layout> layouts() {
        Map<String, Layout> layouts = new LinkedHashMap<>();
        model.checkpoint().ifPresent(checkpoint -> {
            HubModel hub = model.hub();
            hub.origins().forEach((name, origin) -> {
                Layout layout = checkpoint.layouts().get(origin.stored().getFirst());
                if (layout != null) {
                    layouts.put(name, layout);
                }
            });
        });
        return layouts;
    }

    private static Subject subject(String name, TensorSpec spec, Optional<Layout> layout) {
        TreeSet<Integer> ranks = new TreeSet<>();
        layout.ifPresent(l -> l.pieces().stream().map(Piece::rank).forEach(ranks::add));
        return new Subject(name, spec, layout.map(Layout::placements).orElse(List.of()), ranks);
    }

    /// The chosen layouts, by the tensors' names in the files; a selector may say the name on disk too.
    SequencedMap<String, Layout> placements(Checkpoint checkpoint) {
        Map<String, List<String>> onDisk = new LinkedHashMap<>();
        model.hub()
                .origins()
                .forEach((name, origin) -> origin.stored()
                        .forEach(s -> onDisk.computeIfAbsent(s, k -> new ArrayList<>())
                                .add(name)));
        SequencedMap<String, Layout> chosen = new LinkedHashMap<>();
        List<String> all = new ArrayList<>(checkpoint.tensors().names());
        all.addAll(checkpoint.holes());
        for (String stored : all) {
            Layout layout = checkpoint.layouts().get(stored);
            if (layout == null) {
                continue;
            }
            List<String> names = new ArrayList<>(List.of(stored));
            names.addAll(onDisk.getOrDefault(stored, List.of()));
            if (names.stream().anyMatch(n -> selector.test(subject(n, layout.spec(), Optional.of(layout))))) {
                chosen.put(stored, layout);
            }
        }
        if (chosen.isEmpty()) {
            throw none(all);
        }
        return chosen;
    }

    private Fault none(Collection<String> names) {
        List<String> holes = model.checkpoint().map(Checkpoint::holes).orElse(List.of());
        if (holes.stream().anyMatch(selector::testName)) {
            return new Fault(
                    Code.K3001,
                    "no tensor of " + model.name() + " that is whole matches " + selector,
                    Counted.of(holes.size(), "tensor") + " of it have holes where ranks "
                            + Ranks.text(
                                    ModelText.absentRanks(model.checkpoint().orElseThrow()))
                            + " are missing",
                    "see what is there with: placements " + model.name() + ", or look at a rank, as in: tensors "
                            + model.name() + "@"
                            + RankView.ranks(model).keySet().stream()
                                    .findFirst()
                                    .orElse(0));
        }
        List<String> near = Nearest.to(selector.toString(), names, 3);
        return new Fault(
                Code.K1005,
                "no tensor of " + model.name() + " matches " + selector,
                near.isEmpty()
                        ? "it has " + names.size() + " tensors"
                        : "the nearest names are " + String.join(", ", near),
                "list them with: tensors " + model.name());
    }
}
