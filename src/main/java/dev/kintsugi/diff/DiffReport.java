package dev.kintsugi.diff;

import java.util.List;

/// What a comparison found.
///
/// @param missing names only `a` has
/// @param extra names only `b` has
/// @param shapes names whose shapes differ, or of which one side alone is complex; their values were not
/// compared
/// @param dtypes names whose dtypes differ and whose shapes do not; their values were compared
/// @param tensors every pair compared, what matters most first: NaN and infinity mismatches, then values
/// beyond the
///     tolerances, then others that differ, each by falling relative norm of the difference; equal ones in model order
public record DiffReport(
        List<String> missing,
        List<String> extra,
        List<SpecDifference> shapes,
        List<SpecDifference> dtypes,
        List<TensorDifference> tensors,
        Tolerances tolerances) {
    public DiffReport {
        missing = List.copyOf(missing);
        extra = List.copyOf(extra);
        shapes = List.copyOf(shapes);
        dtypes = List.copyOf(dtypes);
        tensors = List.copyOf(tensors);
    }

    /// Whether both have the same names, each with the same shape.
    public boolean sameStructure() {
        return missing.isEmpty() && extra.isEmpty() && shapes.isEmpty();
    }

    /// Whether names and shapes are the same and all values within the tolerances, whatever the dtypes: what
    /// exit status 0 means.
    public boolean agrees() {
        return sameStructure() && tensors.stream().allMatch(TensorDifference::close);
    }

    /// Whether names, shapes, dtypes and all bytes are the same.
    public boolean bitEqual() {
        return sameStructure() && tensors.stream().allMatch(TensorDifference::bitEqual);
    }

    /// The pairs whose values differ, what matters most first.
    public List<TensorDifference> differing() {
        return tensors.stream().filter(t -> !t.sameValues()).toList();
    }

    /// The pairs grouped by layer and part.
    public List<GroupDifference> summary() {
        return GroupDifference.group(tensors);
    }
}
