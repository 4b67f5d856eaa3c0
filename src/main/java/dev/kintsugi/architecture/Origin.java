package dev.kintsugi.architecture;

import java.util.ArrayList;
import java.util.List;

/// Where a tensor of the output comes from: the tensors of the files it is made of, and what was done, in
/// order.
public record Origin(List<String> stored, List<String> steps) {
    public Origin {
        stored = List.copyOf(stored);
        steps = List.copyOf(steps);
    }

    /// Whether it says no more than that the tensor has its name in the files too.
    boolean isOnly(String name) {
        return steps.isEmpty() && stored.size() == 1 && stored.getFirst().equals(name);
    }

    Origin with(String step) {
        List<String> more = new ArrayList<>(steps);
        more.add(step);
        return new Origin(stored, more);
    }
}
