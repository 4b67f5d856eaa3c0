package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// Checks that models have the same tensors before they are fused, and tells the first few differences if not.
final class Agreement {
    private static final int SHOWN = 5;

    private final List<Input> models;
    private final List<String> differences = new ArrayList<>();

    private Agreement(List<Input> models) {
        this.models = models;
    }

    /// The selected names of all models, in the order of the first. **Errors.** [Fault] `K7003` where models
    /// differ.
    static SequencedSet<String> names(List<Input> models, Predicate<String> selection, boolean shapes) {
        SequencedSet<String> names = new LinkedHashSet<>();
        for (Input model : models) {
            model.model().names().stream().filter(selection).forEach(names::add);
        }
        Agreement agreement = new Agreement(models);
        for (String name : names) {
            agreement.compare(name, shapes);
        }
        if (!agreement.differences.isEmpty()) {
            throw agreement.fault();
        }
        return names;
    }

    private void compare(String name, boolean shapes) {
        List<Input> without = models.stream().filter(m -> !m.model().has(name)).toList();
        if (!without.isEmpty()) {
            differences.add(name + " is missing in " + names(without));
            return;
        }
        Input first = models.getFirst();
        Tensor reference = first.model().tensor(name);
        for (Input other : models) {
            Tensor tensor = other.model().tensor(name);
            DType dtype = tensor.spec().dtype();
            boolean sameKind = dtype == reference.spec().dtype()
                    || (dtype.isFloat() && reference.spec().dtype().isFloat());
            boolean sameShape = tensor.spec().shape().equals(reference.spec().shape());
            if (!sameKind || (shapes && !sameShape)) {
                differences.add(name + " is " + reference.spec() + " in " + first.name() + " and " + tensor.spec()
                        + " in " + other.name());
                return;
            }
        }
    }

    private static String names(List<Input> models) {
        return models.stream().map(Input::name).collect(Collectors.joining(", "));
    }

    private Fault fault() {
        String shown = differences.stream().limit(SHOWN).collect(Collectors.joining("; "));
        int left = differences.size() - SHOWN;
        return new Fault(
                Code.K7003,
                names(models) + " differ: " + shown + (left > 0 ? "; and " + left + " more" : ""),
                "models of different architectures, vocabularies or kinds cannot be fused as they are",
                "leave those tensors out with --layers, or compare the models with: diff");
    }
}
