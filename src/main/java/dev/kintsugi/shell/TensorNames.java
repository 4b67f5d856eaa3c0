package dev.kintsugi.shell;

import dev.kintsugi.shell.Completions.Proposal;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;

/// Names of tensors to complete, a segment at a time: from their beginning, and from any later segment on, as a
/// selector takes them.
///
/// What begins a name costs what is proposed; what begins a later segment costs a look at every name.
final class TensorNames {
    private final NavigableMap<String, TensorSpec> sorted;

    private TensorNames(NavigableMap<String, TensorSpec> sorted) {
        this.sorted = sorted;
    }

    static TensorNames of(StateDict tensors) {
        NavigableMap<String, TensorSpec> sorted = new TreeMap<>();
        tensors.tensors().forEach((name, tensor) -> sorted.put(name, tensor.spec()));
        return new TensorNames(sorted);
    }

    /// Proposals where a word may name many tensors.
    List<Proposal> some(String typed) {
        Map<String, Proposal> proposals = beginnings(typed);
        ends(typed).forEach((end, names) -> proposals.putIfAbsent(end, proposal(end, names)));
        return proposals.values().stream().limit(Completions.MAX_PROPOSALS).toList();
    }

    /// Proposals where a word must name one tensor: an end that several have gives way to their whole names.
    List<Proposal> one(String typed) {
        Map<String, Proposal> proposals = beginnings(typed);
        ends(typed).forEach((end, names) -> {
            if (names.size() <= 1) {
                proposals.putIfAbsent(end, proposal(end, names));
                return;
            }
            names.stream()
                    .limit(Completions.MAX_PROPOSALS)
                    .forEach(n -> proposals.putIfAbsent(n, proposal(n, List.of(n))));
        });
        return proposals.values().stream().limit(Completions.MAX_PROPOSALS).toList();
    }

    /// The next segments of names that begin with `typed`.
    private Map<String, Proposal> beginnings(String typed) {
        Map<String, Proposal> proposals = new LinkedHashMap<>();
        Map.Entry<String, TensorSpec> entry = sorted.ceilingEntry(typed);
        while (entry != null && entry.getKey().startsWith(typed) && proposals.size() < Completions.MAX_PROPOSALS) {
            String name = entry.getKey();
            String value = toNextDot(name, 0, typed.length());
            proposals.put(value, proposal(value, List.of(name)));
            entry = value.equals(name)
                    ? sorted.higherEntry(name)
                    : sorted.ceilingEntry(value.substring(0, value.length() - 1) + '/');
        }
        return proposals;
    }

    /// The next segments of names of which a later segment begins with `typed`; beside one that is the end of a
    /// name, all names that end so.
    private Map<String, List<String>> ends(String typed) {
        Map<String, List<String>> ends = new TreeMap<>();
        if (typed.isEmpty()) {
            return ends;
        }
        String behindDot = "." + typed;
        for (String name : sorted.keySet()) {
            int dot = name.indexOf(behindDot);
            while (dot >= 0) {
                String end = toNextDot(name, dot + 1, dot + behindDot.length());
                List<String> names = ends.computeIfAbsent(end, e -> new ArrayList<>());
                if (!end.endsWith(".")) {
                    names.add(name);
                }
                dot = name.indexOf(behindDot, dot + 1);
            }
        }
        return ends;
    }

    /// From `start` through the first dot behind `typedEnd`, or to the end of the name.
    private static String toNextDot(String name, int start, int typedEnd) {
        int dot = name.indexOf('.', typedEnd);
        return name.substring(start, dot < 0 ? name.length() : dot + 1);
    }

    private Proposal proposal(String value, List<String> names) {
        if (value.endsWith(".")) {
            return new Proposal(value, "", false);
        }
        if (names.size() > 1) {
            return new Proposal(value, Counted.of(names.size(), "tensor"), true);
        }
        TensorSpec spec = Objects.requireNonNull(sorted.get(names.getFirst()));
        return new Proposal(value, spec + " " + Units.bytes(spec.byteCount()), true);
    }
}
