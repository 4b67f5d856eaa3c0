package dev.kintsugi.diff;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/// The differences of the tensors of one part of one layer together.
///
/// @param layer the first whole number among the segments of their names, if there is one
/// @param tensors how many were compared, `differingTensors` of them with differing values
public record GroupDifference(
        OptionalInt layer,
        Part part,
        int tensors,
        int differingTensors,
        long elements,
        long differing,
        long outside,
        long nanMismatches,
        double maxAbs,
        double maxRelative,
        double rms) {

    private record Key(int layer, Part part) {}

    /// Groups `tensors`; embeddings come first, then layer by layer, then what is in no layer.
    static List<GroupDifference> group(List<TensorDifference> tensors) {
        Comparator<Key> order = Comparator.<Key>comparingInt(k -> position(k))
                .thenComparingInt(Key::layer)
                .thenComparing(Key::part);
        Map<Key, List<TensorDifference>> groups = new TreeMap<>(order);
        for (TensorDifference tensor : tensors) {
            Key key = new Key(layer(tensor.name()), Part.of(tensor.name()));
            groups.computeIfAbsent(key, _ -> new ArrayList<>()).add(tensor);
        }
        return groups.entrySet().stream().map(e -> of(e.getKey(), e.getValue())).toList();
    }

    private static int position(Key key) {
        if (key.layer >= 0) {
            return 1;
        }
        return key.part == Part.EMBEDDING ? 0 : 2;
    }

    /// The layer, or -1.
    private static int layer(String name) {
        for (String segment : name.split("\\.", -1)) {
            if (!segment.isEmpty() && segment.length() < 7 && segment.chars().allMatch(c -> c >= '0' && c <= '9')) {
                return Integer.parseInt(segment);
            }
        }
        return -1;
    }

    private static GroupDifference of(Key key, List<TensorDifference> tensors) {
        long elements = 0;
        long differing = 0;
        long outside = 0;
        long nan = 0;
        double maxAbs = 0;
        double maxRelative = 0;
        double squares = 0;
        int unequal = 0;
        for (TensorDifference tensor : tensors) {
            elements += tensor.elements();
            differing += tensor.differing();
            outside += tensor.outside();
            nan += tensor.nanMismatches();
            maxAbs = Math.max(maxAbs, tensor.maxAbs());
            maxRelative = Math.max(maxRelative, tensor.maxRelative());
            squares += tensor.rms() * tensor.rms() * tensor.elements();
            unequal += tensor.sameValues() ? 0 : 1;
        }
        return new GroupDifference(
                key.layer < 0 ? OptionalInt.empty() : OptionalInt.of(key.layer),
                key.part,
                tensors.size(),
                unequal,
                elements,
                differing,
                outside,
                nan,
                maxAbs,
                maxRelative,
                elements == 0 ? 0 : Math.sqrt(squares / elements));
    }
}
