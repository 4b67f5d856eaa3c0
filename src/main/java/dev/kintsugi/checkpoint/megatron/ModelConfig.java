package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// What the rules need to know of the model, from `config.json` or else from the job's arguments.
///
/// @param modelType `model_type`, or [Family#WITHOUT_CONFIG]
/// @param heads query heads
/// @param queryGroups key and value heads
/// @param headDim elements of a head, where the file says so
/// @param vocabulary words, without padding
/// @param layers layers of the decoder
/// @param tied whether the head is the embedding
/// @param numbers what else `config.json` says in numbers
record ModelConfig(
        String modelType,
        Optional<Long> heads,
        Optional<Long> queryGroups,
        Optional<Long> headDim,
        Optional<Long> vocabulary,
        Optional<Long> layers,
        Optional<Boolean> tied,
        Map<String, Long> numbers) {
    ModelConfig {
        numbers = Map.copyOf(numbers);
    }

    /// From `config.json` in `sidecars`, which must agree with `args`.
    ///
    /// **Errors.** [Fault] `K2305`, and `K3101` where they disagree.
    static ModelConfig of(Optional<Path> sidecars, TrainingArgs args) {
        Optional<Path> file = sidecars.map(s -> s.resolve("config.json")).filter(Files::isRegularFile);
        if (file.isEmpty()) {
            return new ModelConfig(
                    Family.WITHOUT_CONFIG,
                    args.heads(),
                    args.queryGroups(),
                    args.number("kv_channels"),
                    args.number("vocab_size"),
                    args.number("num_layers"),
                    args.tied(),
                    Map.of());
        }
        ModelConfig config = of(JsonFile.read(file.get()));
        agree("attention heads", config.heads(), args.heads());
        agree("key and value heads", config.queryGroups(), args.queryGroups());
        agree("layers", config.layers(), args.number("num_layers"));
        return config;
    }

    static ModelConfig of(JsonNode document) {
        Optional<Long> heads = number(document, "num_attention_heads");
        JsonNode tied = document.path("tie_word_embeddings");
        Map<String, Long> numbers = new LinkedHashMap<>();
        document.propertyNames().forEach(n -> number(document, n).ifPresent(v -> numbers.put(n, v)));
        return new ModelConfig(
                document.path("model_type").asString("?"),
                heads,
                number(document, "num_key_value_heads").or(() -> heads),
                number(document, "head_dim"),
                number(document, "vocab_size"),
                number(document, "num_hidden_layers"),
                tied.isBoolean() ? Optional.of(tied.asBoolean()) : Optional.empty(),
                numbers);
    }

    /// The sum of what `config.json` says under `keys`, if there are any and it says all of them.
    Optional<Long> sum(List<String> keys) {
        return keys.isEmpty() || !numbers.keySet().containsAll(keys)
                ? Optional.empty()
                : Optional.of(keys.stream().mapToLong(numbers::get).sum());
    }

    boolean hasConfig() {
        return !modelType.equals(Family.WITHOUT_CONFIG);
    }

    private static Optional<Long> number(JsonNode document, String name) {
        JsonNode value = document.path(name);
        return value.isIntegralNumber() && value.canConvertToInt() && value.asLong() > 0
                ? Optional.of(value.asLong())
                : Optional.empty();
    }

    private static void agree(String what, Optional<Long> config, Optional<Long> args) {
        if (config.isPresent() && args.isPresent() && !config.equals(args)) {
            throw new Fault(
                    Code.K3101,
                    "config.json says " + config.get() + " " + what + ", the checkpoint was trained with " + args.get(),
                    "config.json belongs to another model",
                    "say where the right one is with: open … --sidecars DIR");
        }
    }
}
