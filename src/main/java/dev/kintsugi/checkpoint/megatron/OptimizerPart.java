package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Int;
import dev.kintsugi.pickle.PickleValue.Sequence;
import dev.kintsugi.torch.Pickled;
import java.util.List;
import java.util.Optional;

/// One optimizer of a chain; Megatron has one for the experts where they are spread over ranks, and one for the
/// rest.
///
/// @param outer what Megatron wraps it in: masters and the loss scaler
/// @param inner torch's own state dict: `state` and `param_groups`
record OptimizerPart(Dict outer, Dict inner) {
    /// The parts in `optimizer`, the entry of that name: one, a list of them, or a dict by number.
    static List<OptimizerPart> of(PickleValue optimizer) {
        if (optimizer instanceof Sequence list) {
            return list.items().stream().map(OptimizerPart::part).toList();
        }
        Dict dict = Pickled.entries(optimizer, "the optimizer's state");
        boolean numbered = dict.size() > 0 && dict.keys().stream().allMatch(Int.class::isInstance);
        return numbered ? dict.values().stream().map(OptimizerPart::part).toList() : List.of(part(dict));
    }

    private static OptimizerPart part(PickleValue value) {
        Dict outer = Pickled.entries(value, "an optimizer's state");
        Dict inner = Pickled.field(outer, "optimizer", "optimizer_state_dict")
                .flatMap(Pickled::dict)
                .orElse(outer);
        return new OptimizerPart(outer, inner);
    }

    /// The states by number of their parameter, or nothing where they are saved elsewhere.
    Optional<Dict> states() {
        return Pickled.field(inner, "state").flatMap(Pickled::dict);
    }

    List<Dict> groups() {
        return Pickled.field(inner, "param_groups")
                .map(g -> Pickled.items(g, "param_groups"))
                .orElseGet(List::of)
                .stream()
                .map(g -> Pickled.entries(g, "a group of parameters"))
                .toList();
    }
}
