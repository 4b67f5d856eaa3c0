package dev.kintsugi.selector;

import dev.kintsugi.tensor.TensorSpec;
import java.util.List;
import java.util.Set;

/// What a selector may ask of a tensor.
///
/// @param placements as they print, such as `Shard(0)`
/// @param ranks that hold a piece of it
public record Subject(String name, TensorSpec spec, List<String> placements, Set<Integer> ranks) {
    /// A tensor of which no placement is known.
    public static Subject of(String name, TensorSpec spec) {
        return new Subject(name, spec, List.of(), Set.of());
    }
}
