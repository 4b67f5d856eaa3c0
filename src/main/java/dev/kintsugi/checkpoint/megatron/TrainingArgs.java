package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.torch.Pickled;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// The numbers and switches of the training job, as far as the checkpoint holds them: the `args` that
/// Megatron-LM saves or the `transformer_config.json` of verl.
record TrainingArgs(Map<String, Long> numbers, Map<String, Boolean> flags) {
    private static final String TENSOR = "tensor_model_parallel_size";
    private static final String PIPELINE = "pipeline_model_parallel_size";

    static final TrainingArgs UNKNOWN = new TrainingArgs(Map.of(), Map.of());

    TrainingArgs {
        numbers = Map.copyOf(numbers);
        flags = Map.copyOf(flags);
    }

    /// The fields of an `argparse.Namespace`; nothing of any other value.
    static TrainingArgs of(PickleValue value) {
        if (!(value instanceof Call call) || call.states().isEmpty()) {
            return UNKNOWN;
        }
        Dict fields = Pickled.fields(call);
        Map<String, Long> numbers = new LinkedHashMap<>();
        Map<String, Boolean> flags = new LinkedHashMap<>();
        for (int i = 0; i < fields.size(); i++) {
            if (!(fields.keys().get(i) instanceof PickleValue.Text name)) {
                continue;
            }
            PickleValue field = fields.values().get(i);
            if (field instanceof PickleValue.Int number && number.value().bitLength() < 64) {
                numbers.put(name.value(), number.value().longValueExact());
            } else if (field instanceof PickleValue.Bool flag) {
                flags.put(name.value(), flag.value());
            }
        }
        return new TrainingArgs(numbers, flags);
    }

    /// Of a job of which no more is known than how many stages and tensor-parallel ranks it had.
    static TrainingArgs ofSizes(long pipelineParallel, long tensorParallel) {
        return new TrainingArgs(Map.of(PIPELINE, pipelineParallel, TENSOR, tensorParallel), Map.of());
    }

    static TrainingArgs of(JsonNode document) {
        Map<String, Long> numbers = new LinkedHashMap<>();
        Map<String, Boolean> flags = new LinkedHashMap<>();
        document.forEachEntry((name, value) -> {
            if (value.isIntegralNumber() && value.canConvertToLong()) {
                numbers.put(name, value.asLong());
            } else if (value.isBoolean()) {
                flags.put(name, value.asBoolean());
            }
        });
        return new TrainingArgs(numbers, flags);
    }

    Optional<Long> number(String name) {
        return Optional.ofNullable(numbers.get(name)).filter(n -> n > 0 && n <= Integer.MAX_VALUE);
    }

    Optional<Boolean> flag(String name) {
        return Optional.ofNullable(flags.get(name));
    }

    Optional<Long> tensorParallel() {
        return number(TENSOR);
    }

    Optional<Long> pipelineParallel() {
        return number(PIPELINE);
    }

    Optional<Long> expertParallel() {
        return number("expert_model_parallel_size");
    }

    Optional<Long> heads() {
        return number("num_attention_heads");
    }

    /// Key and value heads; without grouped attention as many as heads.
    Optional<Long> queryGroups() {
        if (flag("group_query_attention").filter(grouped -> !grouped).isPresent()) {
            return heads();
        }
        return number("num_query_groups").or(this::heads);
    }

    /// Whether the head is the embedding.
    Optional<Boolean> tied() {
        return flag("untie_embeddings_and_output_weights").map(untied -> !untied);
    }
}
