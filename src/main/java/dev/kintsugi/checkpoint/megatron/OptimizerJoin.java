package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;

/// Gathers the states of an optimizer under `NAME.STATE`, `NAME` the parameter's in a Hugging Face model.
final class OptimizerJoin {
    /// The state under which a parameter's master stands.
    static final String MASTER = "fp32";

    private static final String HEAD = "output_layer.weight";

    private final Mapping mapping;
    private final boolean valueModel;
    private final boolean headIsCopy;
    private final SequencedMap<String, JoinedTensor> tensors = new LinkedHashMap<>();
    private final Set<String> parameters = new LinkedHashSet<>();

    /// `valueModel` says whether the head has one row; `headIsCopy` whether it is the last stage's copy of the
    /// embedding.
    OptimizerJoin(Mapping mapping, boolean valueModel, boolean headIsCopy) {
        this.mapping = mapping;
        this.valueModel = valueModel;
        this.headIsCopy = headIsCopy;
    }

    /// Adds `states`, each under the name of its parameter and shaped like it.
    void add(String state, List<MegatronTensor> states) {
        List<MegatronTensor> own = headIsCopy ? TiedHead.mergeStates(states) : states;
        mapping.mapStates(own, valueModel).forEach((name, joined) -> {
            parameters.add(name);
            put(name + "." + state, joined);
        });
    }

    /// Adds a scalar of `parameter`, for each tensor it becomes.
    void addScalar(String state, String parameter, Part part) {
        Layout layout = new Layout(
                parameter, "Megatron scalar", part.local().spec(), List.of(), List.of(), List.of(part.piece()));
        names(parameter).forEach(name -> put(name + "." + state, new JoinedTensor(part.local(), layout)));
    }

    /// What the parameter becomes; nothing for the copy of the embedding.
    List<String> names(String parameter) {
        return headIsCopy && parameter.equals(HEAD) ? List.of() : mapping.targets(parameter, valueModel);
    }

    private void put(String name, JoinedTensor joined) {
        if (tensors.put(name, joined) != null) {
            throw new Fault(
                    Code.K4013,
                    "two states of the optimizer become " + name,
                    "the checkpoint holds a name in two spellings",
                    "open the model without its optimizer");
        }
    }

    SequencedMap<String, JoinedTensor> tensors() {
        return tensors;
    }

    /// The names of the parameters that have states.
    List<String> parameters() {
        return List.copyOf(parameters);
    }

    /// A refusal of what the distributed optimizer keeps to itself.
    static Fault distributed(String what, String why) {
        return new Fault(
                Code.K4012,
                what,
                why,
                "open the model without its optimizer, or load it with the Megatron-LM that wrote it and save it as"
                        + " torch_dist with --dist-ckpt-optim-fully-reshardable");
    }

    static Fault refused(String what, String why) {
        return new Fault(Code.K4012, what, why, "open the model without its optimizer");
    }
}
