package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Separates an adapter's tensors from those of the model it adapts.
///
/// In memory peft names them `base_model.model.X.lora_A.default.weight` and
/// `base_model.model.X.base_layer.weight`; on disk the adapter's own name, `default`, is left out, and the
/// base has its plain names. **Source.** peft `get_peft_model_state_dict`, version 0.21.
final class AdapterSplit {
    static final String PREFIX = "base_model.model.";
    private static final Pattern FACTOR = Pattern.compile("(.*)\\.(lora_[AB])(?:\\.([^.]+))?(\\.weight|\\.bias)");
    private static final Pattern PARAMETER =
            Pattern.compile("(.*)\\.(lora_embedding_[AB]|lora_magnitude_vector|trainable_tokens_delta)"
                    + "(?:\\.(?!weight$)([^.]+))?(?:\\.weight)?");
    private static final Pattern TRAINED = Pattern.compile("(.*)\\.modules_to_save\\.([^.]+)\\.(.*)");

    private static final Set<String> EMBEDDINGS = Set.of("embed_tokens", "lm_head");

    /// Segments that peft puts between a module and the parameters it had.
    private static final Pattern HOLDERS = Pattern.compile("(\\.(base_layer|original_module|token_adapter))+\\.");

    /// The base's and the adapter's tensors under their names on disk, each with the name it had; and the
    /// adapter's tensors that replace one of the base, by its name.
    record Parts(
            SequencedMap<String, String> base,
            SequencedMap<String, String> adapter,
            SequencedMap<String, String> trained) {}

    private AdapterSplit() {}

    static boolean isAdapted(Iterable<String> names) {
        for (String name : names) {
            boolean may = name.contains("lora_") || name.contains("trainable_tokens_delta");
            if (may
                    && (FACTOR.matcher(name).matches()
                            || PARAMETER.matcher(name).matches())) {
                return true;
            }
        }
        return false;
    }

    /// Splits `names`, without wrapper segments. **Errors.** [Fault] `K4011` for several adapters, `K4013`
    /// where two tensors would get one name.
    static Parts split(Iterable<String> names) {
        SequencedMap<String, String> base = new LinkedHashMap<>();
        SequencedMap<String, String> adapter = new LinkedHashMap<>();
        SequencedMap<String, String> replacing = new LinkedHashMap<>();
        TreeSet<String> adapters = new TreeSet<>();
        for (String name : names) {
            Matcher factor = FACTOR.matcher(name);
            Matcher parameter = PARAMETER.matcher(name);
            Matcher trained = TRAINED.matcher(name);
            if (factor.matches()) {
                adapters.add(named(factor.group(3)));
                put(adapter, prefixed(factor.group(1) + "." + factor.group(2) + factor.group(4)), name);
            } else if (parameter.matches()) {
                adapters.add(named(parameter.group(3)));
                put(adapter, prefixed(parameter.group(1) + "." + parameter.group(2)), name);
            } else if (trained.matches()) {
                adapters.add(trained.group(2));
                String disk = prefixed(trained.group(1) + "." + trained.group(3));
                put(adapter, disk, name);
                replacing.put(bare(disk), disk);
            } else {
                put(base, bare(name), name);
            }
        }
        if (adapters.size() > 1) {
            throw new Fault(
                    Code.K4011,
                    "the checkpoint holds several adapters: " + String.join(", ", adapters),
                    "one adapter at a time can be written",
                    "save the adapter you want alone, or export the names as they are with --keys as-is");
        }
        return new Parts(base, adapter, replacing);
    }

    private static String named(@Nullable String adapter) {
        return adapter == null ? "default" : adapter;
    }

    private static String prefixed(String name) {
        return name.startsWith(PREFIX) ? name : PREFIX + name;
    }

    private static String bare(String name) {
        String bare = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
        return HOLDERS.matcher(bare).replaceAll(".");
    }

    private static void put(SequencedMap<String, String> map, String name, String stored) {
        String before = map.put(name, stored);
        if (before != null) {
            throw new Fault(
                    Code.K4013,
                    before + " and " + stored + " would both be " + name,
                    "wrapper prefixes hide two tensors of one name",
                    "export the names as they are with --keys as-is");
        }
    }

    /// The factors of `tensors`, which have their names on disk, by the name of the weight of `base` they change.
    ///
    /// Factors of a parameter that is no module's weight are not among them: their names do not say of which.
    static SequencedMap<String, LoraPair> pairs(StateDict tensors, StateDict base) {
        SequencedMap<String, LoraPair> pairs = new LinkedHashMap<>();
        tensors.tensors().forEach((name, a) -> {
            boolean embedding = name.endsWith(LoraPair.A_OF_EMBEDDING);
            if (embedding || name.endsWith(LoraPair.A)) {
                String module = name.substring(
                        PREFIX.length(), name.length() - (embedding ? LoraPair.A_OF_EMBEDDING : LoraPair.A).length());
                if (!ofParameter(module, base)) {
                    pairs.put(module + ".weight", pair(tensors, module, a, embedding));
                }
            }
        });
        return pairs;
    }

    /// What peft stores in the adapter too of tensors of the model, by the name it has there: biases that were
    /// trained, and the embeddings of embeddings that are adapted. `base` has its names by those in memory.
    ///
    /// **Source.** peft 0.21, `_get_learnable_bias_state_dict`, `get_peft_model_state_dict`.
    static SequencedMap<String, String> copies(
            SequencedMap<String, String> base, SequencedMap<String, LoraPair> pairs, PeftRules rules) {
        String biases = rules.text("bias").orElse("none");
        boolean tokens = rules.isSet("trainable_token_indices");
        SequencedMap<String, String> copies = new LinkedHashMap<>();
        base.forEach((name, stored) -> {
            int end = name.lastIndexOf('.');
            String module = name.substring(0, Math.max(0, end));
            boolean adapted = pairs.containsKey(module + ".weight");
            boolean trained = name.endsWith(".bias") && (biases.equals("all") || (biases.endsWith("_only") && adapted));
            boolean embedding =
                    !tokens && adapted && EMBEDDINGS.contains(module.substring(module.lastIndexOf('.') + 1));
            if (trained || embedding) {
                copies.put(prefixed(stored), name);
            }
        });
        return copies;
    }

    private static boolean ofParameter(String module, StateDict base) {
        return module.endsWith(".base_layer")
                || (base.find(module + ".weight").isEmpty()
                        && base.names().stream().anyMatch(n -> n.startsWith(module + ".")));
    }

    private static LoraPair pair(StateDict tensors, String module, Tensor a, boolean embedding) {
        String name = PREFIX + module + (embedding ? LoraPair.A_OF_EMBEDDING : LoraPair.A);
        String other = PREFIX + module + (embedding ? LoraPair.B_OF_EMBEDDING : LoraPair.B);
        Tensor b = tensors.find(other)
                .orElseThrow(() -> new Fault(
                        Code.K4011,
                        name + " has no counterpart " + other,
                        "the adapter is incomplete",
                        "copy the checkpoint again"));
        boolean matrices = a.spec().shape().ndim() == 2 && b.spec().shape().ndim() == 2;
        if (!matrices || a.spec().shape().dim(0) != b.spec().shape().dim(1)) {
            throw new Fault(
                    Code.K4011,
                    name + " is " + a.spec() + ", " + other + " is " + b.spec(),
                    "the factors of a pair share their rank",
                    "copy the checkpoint again, or export the names as they are with --keys as-is");
        }
        return new LoraPair(module, a, b, embedding);
    }
}
