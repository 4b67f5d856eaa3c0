package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// A LoRA adapter as peft stores one.
///
/// @param tensors under peft's names on disk, the adapter's own name left out of them
/// @param pairs the factors of each changed weight, under the weight's name
/// @param rank the rank most pairs have
/// @param facts what files beside the checkpoint say of the adapter
public record Adapter(StateDict tensors, SequencedMap<String, LoraPair> pairs, long rank, AdapterFacts facts) {
    /// Alpha, from the option or the files.
    ///
    /// **Errors.** [Fault] `K4006` where nobody says it, or two say different things.
    public double alpha(OptionalDouble given) {
        if (given.isPresent()) {
            return given.getAsDouble();
        }
        return facts.alpha();
    }

    /// What `ΔW = B·A` is multiplied by for the weight named `weight`. **Source.** peft
    /// `LoraLayer.update_layer`.
    double scale(String weight, LoraPair pair, OptionalDouble givenAlpha) {
        double alpha = pattern("alpha_pattern", weight).orElseGet(() -> alpha(givenAlpha));
        boolean stabilised = facts.peftConfig()
                .map(c -> c.path("use_rslora").asBoolean(false))
                .orElse(false);
        return alpha / (stabilised ? Math.sqrt(pair.rank()) : pair.rank());
    }

    private Optional<Double> pattern(String key, String weight) {
        String module = weight.replaceFirst("\\.weight$", "");
        return facts.peftConfig().flatMap(config -> {
            Optional<Double> found = Optional.empty();
            for (Map.Entry<String, JsonNode> entry : config.path(key).properties()) {
                if (module.equals(entry.getKey()) || module.endsWith("." + entry.getKey())) {
                    found = Optional.of(entry.getValue().asDouble());
                }
            }
            return found;
        });
    }

    /// The last segment of each module that is adapted, as peft's `target_modules` has them.
    public List<String> targetModules() {
        TreeSet<String> modules = new TreeSet<>();
        for (String weight : pairs.keySet()) {
            String module = weight.replaceFirst("\\.weight$", "");
            modules.add(module.substring(module.lastIndexOf('.') + 1));
        }
        return List.copyOf(modules);
    }

    /// The text of `adapter_config.json`: what the tensors show, over what the files beside them say.
    public String configText(OptionalDouble givenAlpha) {
        ObjectNode config = JsonMapper.shared().createObjectNode();
        defaults(config);
        facts.peftConfig().ifPresent(known -> known.forEachEntry(config::set));
        config.put("inference_mode", true);
        config.put("r", rank);
        double alpha = alpha(givenAlpha);
        if (alpha == Math.rint(alpha) && Math.abs(alpha) < 1e15) {
            config.put("lora_alpha", (long) alpha);
        } else {
            config.put("lora_alpha", alpha);
        }
        facts.taskType().ifPresent(task -> config.put("task_type", task));
        var modules = config.putArray("target_modules");
        targetModules().forEach(modules::add);
        SequencedMap<String, Long> others = otherRanks();
        if (!others.isEmpty()) {
            ObjectNode pattern = config.putObject("rank_pattern");
            others.forEach(pattern::put);
        }
        return PythonJson.dumps(config) + "\n";
    }

    /// The ranks that differ from the usual one: by the last segment of the modules where all that end so
    /// agree, else by the module.
    private SequencedMap<String, Long> otherRanks() {
        Map<String, TreeMap<String, Long>> bySegment = new TreeMap<>();
        pairs.forEach((weight, pair) -> {
            String module = weight.replaceFirst("\\.weight$", "");
            bySegment
                    .computeIfAbsent(module.substring(module.lastIndexOf('.') + 1), s -> new TreeMap<>())
                    .put(module, pair.rank());
        });
        SequencedMap<String, Long> others = new LinkedHashMap<>();
        bySegment.forEach((segment, ranks) -> {
            if (ranks.values().stream().distinct().count() == 1) {
                ranks.values().stream().limit(1).filter(r -> r != rank).forEach(r -> others.put(segment, r));
                return;
            }
            ranks.forEach((module, r) -> {
                if (r != rank) {
                    others.put(module, r);
                }
            });
        });
        return others;
    }

    private static void defaults(ObjectNode config) {
        config.putObject("alpha_pattern");
        for (String key : List.of(
                "auto_mapping",
                "base_model_name_or_path",
                "layers_pattern",
                "layers_to_transform",
                "modules_to_save",
                "revision",
                "task_type")) {
            config.putNull(key);
        }
        config.put("bias", "none");
        config.put("fan_in_fan_out", false);
        config.put("init_lora_weights", true);
        config.put("lora_dropout", 0.0);
        config.put("peft_type", "LORA");
        config.putObject("rank_pattern");
        config.put("use_dora", false);
        config.put("use_rslora", false);
    }

    /// The rank that most pairs have; of two equally frequent, the smaller.
    static long commonRank(Collection<LoraPair> pairs) {
        Map<Long, Integer> counts = new TreeMap<>();
        pairs.forEach(p -> counts.merge(p.rank(), 1, Integer::sum));
        return counts.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse(0L);
    }

    /// `base` with every pair merged into its weight.
    ///
    /// **Errors.** [Fault] `K4011` for a weight that is not there, or a kind of adapter that has no plain
    /// product.
    public StateDict mergeInto(StateDict base, OptionalDouble givenAlpha) {
        SequencedMap<String, Tensor> merged = new LinkedHashMap<>(base.tensors());
        List<String> unplaced = new ArrayList<>();
        pairs.forEach((weight, pair) -> {
            var tensor = merged.get(weight);
            if (tensor == null || !fits(pair, tensor)) {
                unplaced.add(weight + (tensor == null ? "" : " " + tensor.spec()));
                return;
            }
            merged.put(weight, new LoraTensor(tensor, pair, scale(weight, pair, givenAlpha)));
        });
        for (String name : tensors.names()) {
            if (!name.contains(".lora_A.")
                    && !name.contains(".lora_B.")
                    && !name.contains("lora_embedding_A")
                    && !name.contains("lora_embedding_B")) {
                unplaced.add(name);
            }
        }
        if (!unplaced.isEmpty()) {
            throw new Fault(
                    Code.K4011,
                    "the adapter cannot be merged: no plain place for " + unplaced.size() + " of its weights, first "
                            + unplaced.getFirst(),
                    "the adapter is of another model, or is no plain LoRA (DoRA, trained modules)",
                    "keep it beside the model with --lora keep, and merge it with peft");
        }
        return StateDict.of(merged);
    }

    private static boolean fits(LoraPair pair, Tensor weight) {
        if (weight.spec().shape().ndim() != 2) {
            return false;
        }
        long out = pair.b().spec().shape().dim(0);
        long in = pair.a().spec().shape().dim(1);
        long rows = weight.spec().shape().dim(0);
        long columns = weight.spec().shape().dim(1);
        return pair.embedding() ? rows == in && columns == out : rows == out && columns == in;
    }
}
