package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.TorchWriter.Values;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// Makes the `optimizer` of a rank's legacy file as `megatron/core/optimizer` does: parameters numbered group
/// by group. `exp_avg` is the weight itself and the master its wider spelling, so what they must become is
/// known.
///
/// @param expertsApart whether experts are spread over ranks and so have an optimizer of their own
record OptimizerWriter(boolean expertsApart, Grouping grouping) {
    static final short STEP = 0x4040;

    /// Which parameters share a group.
    enum Grouping {
        /// All of an optimizer.
        ONE,
        /// Those that decay, then those that do not.
        DECAY,
        /// As above, embedding and head first, with a learning rate of their own.
        DECOUPLED
    }

    Object of(List<Map<String, Object>> chunks) {
        if (!expertsApart) {
            return part(chunks, name -> true);
        }
        return List.of(
                part(chunks, name -> !name.contains("mlp.experts.")),
                part(chunks, name -> name.contains("mlp.experts.")));
    }

    private Map<String, Object> part(List<Map<String, Object>> chunks, Predicate<String> members) {
        Map<Object, Object> states = new LinkedHashMap<>();
        List<Object> groups = new ArrayList<>();
        List<Object> masters = new ArrayList<>();
        int classes = grouping == Grouping.ONE ? 1 : grouping == Grouping.DECAY ? 2 : 3;
        for (int group = 0; group < classes; group++) {
            List<Object> numbers = new ArrayList<>();
            List<Object> own = new ArrayList<>();
            for (Map<String, Object> chunk : chunks) {
                for (Map.Entry<String, Object> entry : chunk.entrySet()) {
                    if (entry.getValue() instanceof Values values
                            && members.test(entry.getKey())
                            && group(entry.getKey(), values) == group) {
                        numbers.add(states.size());
                        states.put(
                                states.size(),
                                Map.of("step", new Values(new int[0], new short[] {STEP}), "exp_avg", values));
                        own.add(values.widened());
                    }
                }
            }
            groups.add(Map.of("lr", 0.5, "params", numbers));
            masters.add(own);
        }
        Map<String, Object> inner = new LinkedHashMap<>();
        inner.put("state", states);
        inner.put("param_groups", groups);
        Map<String, Object> outer = new LinkedHashMap<>();
        outer.put("optimizer", inner);
        outer.put("fp32_from_fp16_params", masters);
        return outer;
    }

    private int group(String name, Values values) {
        boolean decays = values.shape().length > 1 && !name.endsWith(".bias");
        boolean vocabulary = name.startsWith("embedding.") || name.startsWith("output_layer.");
        return switch (grouping) {
            case ONE -> 0;
            case DECAY -> decays ? 0 : 1;
            case DECOUPLED -> vocabulary ? 0 : decays ? 1 : 2;
        };
    }
}
