package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// The `adapter_config.json` of an adapter: what a file of peft says where it explains the tensors, and what
/// the tensors show where it does not.
final class AdapterConfig {
    private final Adapter adapter;
    private final PeftRules rules;
    private final Set<String> adapted;
    private final Set<String> trained;

    AdapterConfig(Adapter adapter) {
        this.adapter = adapter;
        this.rules = adapter.facts().rules();
        this.adapted =
                adapter.pairs().values().stream().map(LoraPair::module).collect(Collectors.toCollection(TreeSet::new));
        this.trained = adapter.trained().keySet().stream()
                .map(AdapterConfig::module)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String module(String tensor) {
        return tensor.substring(0, Math.max(0, tensor.lastIndexOf('.')));
    }

    /// **Errors.** [Fault] `K4011` where only a file of peft could say what some tensors are.
    String text(double alpha) {
        ObjectNode config = JsonMapper.shared().createObjectNode();
        defaults(config);
        adapter.facts().peftConfig().ifPresent(known -> known.forEachEntry(config::set));
        refuseNameless();
        config.put("inference_mode", true);
        if (alpha == Math.rint(alpha) && Math.abs(alpha) < 1e15) {
            config.put("lora_alpha", (long) alpha);
        } else {
            config.put("lora_alpha", alpha);
        }
        adapter.facts().taskType().ifPresent(task -> config.put("task_type", task));
        if (!ranksExplained()) {
            config.put("r", adapter.rank());
            ObjectNode pattern = config.putObject("rank_pattern");
            otherRanks().forEach(pattern::put);
        }
        if (!targetsExplained()) {
            list(config, "target_modules", shortest(adapted, modules(2), (module, end) -> module.endsWith("." + end)));
        }
        if (!trained.isEmpty() && !trainedExplained()) {
            list(config, "modules_to_save", shortest(trained, modules(0), String::endsWith));
        }
        config.put("use_dora", adapter.tensors().names().stream().anyMatch(n -> n.endsWith(".lora_magnitude_vector")));
        if (adapter.tensors().names().stream().anyMatch(n -> n.endsWith(LoraPair.BIAS))) {
            config.put("lora_bias", true);
        }
        return PythonJson.dumps(config) + "\n";
    }

    private void refuseNameless() {
        boolean said = adapter.facts()
                .peftConfig()
                .filter(c -> !c.path("target_parameters").isEmpty()
                        || !c.path("trainable_token_indices").isEmpty())
                .isPresent();
        adapter.nameless().filter(name -> !said).ifPresent(name -> {
            throw new Fault(
                    Code.K4011,
                    name + ": what it changes is not in its name",
                    "peft says it in adapter_config.json, and none that does lies beside the checkpoint",
                    "put the adapter_config.json of the training run beside it, or leave the adapter out of it");
        });
    }

    private static void list(ObjectNode config, String key, Collection<String> values) {
        var array = config.putArray(key);
        values.forEach(array::add);
    }

    private boolean ranksExplained() {
        return adapter.facts().peftConfig().isPresent()
                && adapter.ranksUnlikeSaid().isEmpty();
    }

    /// Whether a file's rules pick the adapted modules, and of the model's no others.
    private boolean targetsExplained() {
        return adapter.facts().peftConfig().isPresent() && exactly(rules::adapts, adapted, modules(2));
    }

    private boolean trainedExplained() {
        return adapter.facts().peftConfig().isPresent() && exactly(rules::replaces, trained, modules(0));
    }

    private static boolean exactly(Predicate<String> picks, Set<String> wanted, Set<String> all) {
        return wanted.stream().allMatch(picks)
                && all.stream().filter(m -> !wanted.contains(m)).noneMatch(picks);
    }

    /// The model's modules whose weight has `ndim` dims, or any number for 0.
    private Set<String> modules(int ndim) {
        StateDict base = adapter.base();
        return base.names().stream()
                .filter(name -> name.endsWith(".weight")
                        && (ndim == 0 || base.tensor(name).spec().shape().ndim() == ndim))
                .map(AdapterConfig::module)
                .collect(Collectors.toSet());
    }

    /// Names for `wanted`: a last segment where that picks none but these out of `all`, else the whole.
    private static Collection<String> shortest(Set<String> wanted, Set<String> all, BiPredicate<String, String> picks) {
        TreeSet<String> names = new TreeSet<>();
        for (String module : wanted) {
            String segment = module.substring(module.lastIndexOf('.') + 1);
            boolean only = all.stream().filter(m -> !wanted.contains(m)).noneMatch(m -> picks.test(m, segment));
            names.add(only ? segment : module);
        }
        return names;
    }

    /// The ranks that differ from the usual one: by the last segment of the modules where all that end so
    /// agree, else by the module.
    private SequencedMap<String, Long> otherRanks() {
        long usual = adapter.rank();
        Map<String, TreeMap<String, Long>> bySegment = new TreeMap<>();
        adapter.pairs()
                .values()
                .forEach(pair -> bySegment
                        .computeIfAbsent(
                                pair.module().substring(pair.module().lastIndexOf('.') + 1), s -> new TreeMap<>())
                        .put(pair.module(), pair.rank()));
        SequencedMap<String, Long> others = new LinkedHashMap<>();
        bySegment.forEach((segment, ranks) -> {
            if (ranks.values().stream().distinct().count() == 1) {
                ranks.values().stream().limit(1).filter(r -> r != usual).forEach(r -> others.put(segment, r));
                return;
            }
            ranks.forEach((module, r) -> {
                if (r != usual) {
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
}
