package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.StridedTensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;

/// Which parameter each number of an optimizer stands for.
///
/// Megatron puts its parameters into groups by kind: experts or not, matrices or vectors and biases (which do
/// not decay), embedding and head or the rest (which may have a learning rate of their own). Within a group
/// they are in the order of the model. Which kinds a group has is not in the file: it is what shapes and
/// counts allow, and where they allow two ways nothing is guessed.
///
/// **Source.** `megatron/core/optimizer/__init__.py`, `_get_param_groups`.
final class ParameterNumbers {
    /// A parameter of one file, under the name in it and Megatron-Core's.
    record Parameter(int chunk, String storedName, String name, StridedTensor weight) {
        private Kind kind() {
            int ndim = weight.spec().shape().ndim();
            return new Kind(
                    name.contains(".mlp.experts."),
                    ndim <= 1 || name.endsWith(".bias"),
                    name.equals("embedding.word_embeddings.weight") || name.equals("output_layer.weight"));
        }
    }

    private record Kind(boolean expert, boolean vector, boolean vocabulary) {}

    /// The shapes of a group's parameters in the order of their numbers; nothing of one without any state.
    record Group(List<Optional<Shape>> shapes) {}

    private final List<Parameter> parameters;
    private final List<Kind> kinds;
    private final List<Group> groups;
    private final List<List<List<Parameter>>> solutions = new ArrayList<>();

    private ParameterNumbers(List<Parameter> parameters, List<Group> groups) {
        this.parameters = parameters;
        this.kinds = List.copyOf(
                new LinkedHashSet<>(parameters.stream().map(Parameter::kind).toList()));
        this.groups = groups;
    }

    /// The members of each of `groups`, where `parameters` are the model's in its order.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K4012` where no way or more than one fits.
    static List<List<Parameter>> assign(String place, List<Parameter> parameters, List<Group> groups) {
        ParameterNumbers numbers = new ParameterNumbers(parameters, groups);
        numbers.search(0, new ArrayList<>());
        if (numbers.solutions.size() != 1) {
            long count = groups.stream().mapToLong(g -> g.shapes().size()).sum();
            throw OptimizerJoin.refused(
                    place + ": an optimizer of " + count + " numbered parameters in " + groups.size()
                            + " groups, of a model of " + parameters.size(),
                    numbers.solutions.isEmpty()
                            ? "no way to give the numbers to the parameters fits their shapes; some may be frozen"
                            : "more than one way to give the numbers to the parameters fits their shapes");
        }
        return numbers.solutions.getFirst();
    }

    private void search(int taken, List<List<Parameter>> chosen) {
        if (solutions.size() > 1) {
            return;
        }
        if (chosen.size() == groups.size()) {
            if (taken == (1 << kinds.size()) - 1) {
                solutions.add(List.copyOf(chosen));
            }
            return;
        }
        for (int subset = 0; subset < 1 << kinds.size(); subset++) {
            if ((subset & taken) == 0) {
                List<Parameter> members = members(subset);
                if (fits(groups.get(chosen.size()).shapes(), members)) {
                    chosen.add(members);
                    search(taken | subset, chosen);
                    chosen.removeLast();
                }
            }
        }
    }

    private List<Parameter> members(int subset) {
        return parameters.stream()
                .filter(p -> (subset >> kinds.indexOf(p.kind()) & 1) != 0)
                .toList();
    }

    private static boolean fits(List<Optional<Shape>> shapes, List<Parameter> members) {
        if (shapes.size() != members.size()) {
            return false;
        }
        for (int i = 0; i < shapes.size(); i++) {
            Shape shape = members.get(i).weight().spec().shape();
            if (shapes.get(i).filter(s -> !s.equals(shape)).isPresent()) {
                return false;
            }
        }
        return true;
    }
}
