package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// The rules for the models of one `model_type`, from the file of that name in this package and those it
/// extends.
final class Family {
    /// What is alike in all families, for a checkpoint without a `config.json`.
    static final String WITHOUT_CONFIG = "part-no-config";

    private static final Pattern MODEL_TYPE = Pattern.compile("[a-z0-9_]{1,60}|" + WITHOUT_CONFIG);
    private static final int MAX_DEPTH = 8;

    /// A rule, its place among the others, and what fills the holes in its names.
    record Match(Rule rule, int index, Map<String, String> values) {
        /// The number of the layer, where there is one.
        Optional<Integer> layer() {
            return Optional.ofNullable(values.get("layer")).map(Integer::valueOf);
        }

        /// The number of the expert, where there is one.
        Optional<Integer> expert() {
            return Optional.ofNullable(values.get("expert")).map(Integer::valueOf);
        }

        /// The names of the parts.
        List<String> targets() {
            return rule.to().stream().map(t -> NamePattern.fill(t, values)).toList();
        }
    }

    private final String name;
    private final List<Rule> rules = new ArrayList<>();

    private Family(String name) {
        this.name = name;
    }

    /// The rules for `modelType`. **Errors.** [Fault] `K4011` where there are none.
    static Family load(String modelType) {
        Optional<JsonNode> document =
                MODEL_TYPE.matcher(modelType).matches() ? JsonFile.resource(modelType) : Optional.empty();
        Family family = new Family(modelType);
        family.add(
                document.orElseThrow(() -> new Fault(
                        Code.K4011,
                        "model_type \"" + modelType + "\" has no mapping from Megatron's names",
                        "mappings are known for Llama, Mistral, Qwen2, Qwen3, their MoE models and DeepSeek-V2 and -V3",
                        "check model_type in config.json")),
                0);
        return family;
    }

    private void add(JsonNode document, int depth) {
        if (depth > MAX_DEPTH) {
            throw new IllegalArgumentException(name + " extends itself");
        }
        document.path("rules").forEach(r -> rules.add(Rule.of(r)));
        document.path("extends")
                .forEach(parent -> add(JsonFile.resource(parent.asString()).orElseThrow(), depth + 1));
    }

    String name() {
        return name;
    }

    /// The rule for the tensor Megatron-Core calls `megatronName`.
    Optional<Match> match(String megatronName) {
        for (int i = 0; i < rules.size(); i++) {
            Rule rule = rules.get(i);
            Optional<Map<String, String>> values = rule.from().match(megatronName);
            if (values.isPresent()) {
                return Optional.of(new Match(rule, i, values.get()));
            }
        }
        return Optional.empty();
    }

    /// The refusal of tensors that no rule names.
    Fault unmapped(List<String> names) {
        String some = String.join(", ", names.subList(0, Math.min(5, names.size()))) + (names.size() > 5 ? ", …" : "");
        boolean noConfig = name.equals(WITHOUT_CONFIG);
        return new Fault(
                Code.K4011,
                (names.size() == 1 ? "1 tensor is" : names.size() + " tensors are") + " not mapped: " + some,
                noConfig
                        ? "without a config.json only the names that all families share are known"
                        : "no rule for " + name + " says what Hugging Face calls it",
                noConfig
                        ? "say where config.json is with: open … --sidecars DIR"
                        : "check that config.json belongs to this checkpoint, or leave them out with: open … --drop"
                                + " NAME");
    }
}
