package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.Origin;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;

/// For tensors laid end to end along the wrong dim: which shape `config.json` wants, and which dim gives it.
final class DimensionAdvice {
    private DimensionAdvice() {}

    /// A line for each kind of tensor whose shape is not what `config.json` wants; none for other methods.
    static List<String> of(FusedModel model) {
        if (model.fusion().filter(f -> f.method().name().equals("concatenate")).isEmpty()) {
            return List.of();
        }
        Fusion fusion = model.fusion().get();
        HubModel hub = model.hub();
        Optional<SequencedMap<String, Shape>> expected = expected(hub);
        Map<String, String> lines = new LinkedHashMap<>();
        Map<String, Integer> counts = new TreeMap<>();
        expected.ifPresent(shapes -> shapes.forEach((name, wanted) -> hub.tensors()
                .find(name)
                .filter(t -> !t.spec().shape().equals(wanted))
                .ifPresent(t -> {
                    String kind = name.replaceAll("\\.\\d+\\.", ".*.");
                    counts.merge(kind, 1, Integer::sum);
                    lines.putIfAbsent(
                            kind,
                            name + " is " + t.spec().shape() + ", config.json wants " + wanted + ": "
                                    + remedy(fusion, stored(hub, name), kind, wanted));
                })));
        List<String> notes = new ArrayList<>();
        lines.forEach((kind, line) ->
                notes.add(line + (counts.getOrDefault(kind, 1) > 1 ? " (×" + counts.get(kind) + ")" : "")));
        return notes;
    }

    private static String stored(HubModel hub, String name) {
        Origin origin = hub.origins().get(name);
        return origin == null ? name : origin.stored().getFirst();
    }

    private static Optional<SequencedMap<String, Shape>> expected(HubModel hub) {
        try {
            return hub.expected();
        } catch (Fault fault) {
            return Optional.empty();
        }
    }

    private static String remedy(Fusion fusion, String stored, String kind, Shape wanted) {
        String selector = "'@" + (kind.contains(".*.") ? "**" + kind.substring(kind.lastIndexOf(".*.") + 2) : kind);
        List<Shape> parts = new ArrayList<>();
        for (Input input : fusion.inputs()) {
            StateDict tensors = input.model();
            tensors.find(stored).ifPresent(t -> parts.add(t.spec().shape()));
        }
        if (parts.stream().allMatch(wanted::equals)) {
            return "every part has it, so they are copies: --dim " + selector + "=same'";
        }
        for (int dim = 0; dim < wanted.ndim(); dim++) {
            int along = dim;
            long extent = parts.stream()
                    .filter(p -> p.ndim() == wanted.ndim())
                    .mapToLong(p -> p.dim(along))
                    .sum();
            boolean others = parts.stream()
                    .allMatch(p -> p.ndim() == wanted.ndim() && p.with(along, 0).equals(wanted.with(along, 0)));
            if (others && extent == wanted.dim(dim)) {
                return "--dim " + selector + "=" + dim + "' gives it";
            }
        }
        return "no dim gives it; parts are " + parts;
    }
}
