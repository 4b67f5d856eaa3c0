package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.Pickled;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;

/// Names of the parameters of an optimizer that numbers them.
///
/// torch numbers parameters in the order in which the optimizer was given them. With one parameter group that
/// is the model's order; with several it is not in the files.
public final class IndexedNames {
    private IndexedNames() {}

    /// The name of each number, where `parameters` are the model's in its order, none twice, and `states` the
    /// shapes of the states that are shaped like their parameter.
    ///
    /// **Errors.** [Fault] `K4012` for several groups, for numbers that are not as many as the parameters,
    /// and for a shape that is another.
    public static List<String> of(
            String place, SequencedMap<String, Shape> parameters, Dict optimizer, Map<Integer, Shape> states) {
        List<PickleValue> groups = Pickled.field(optimizer, "param_groups")
                .map(g -> Pickled.items(g, "param_groups"))
                .orElseGet(List::of);
        if (groups.size() != 1) {
            throw refused(place, groups.size() + " groups of numbered parameters");
        }
        Optional<PickleValue> members =
                Pickled.field(Pickled.entries(groups.getFirst(), "a group of parameters"), "params");
        List<PickleValue> numbers =
                members.map(m -> Pickled.items(m, "the parameters of a group")).orElseGet(List::of);
        List<String> names = new ArrayList<>(parameters.keySet());
        if (numbers.size() != names.size()) {
            throw refused(place, numbers.size() + " numbered parameters, the model has " + names.size());
        }
        for (int i = 0; i < numbers.size(); i++) {
            if (Pickled.number(numbers.get(i), "the number of a parameter") != i) {
                throw refused(place, "parameters that are not numbered in order");
            }
        }
        states.forEach((index, shape) -> {
            if (index < 0 || index >= names.size()) {
                throw refused(place, "a state of parameter " + index + " of " + names.size());
            }
            Shape expected = Objects.requireNonNull(parameters.get(names.get(index)));
            if (!shape.equals(expected)) {
                throw refused(
                        place,
                        "parameter " + index + " is of shape " + shape + ", " + names.get(index) + " of " + expected);
            }
        });
        return names;
    }

    private static Fault refused(String place, String what) {
        return new Fault(
                Code.K4012,
                place + ": " + what,
                "the optimizer numbers its parameters, and which number is which name is in the files only where all"
                        + " are in one group in the model's order",
                "open the model without its optimizer");
    }
}
