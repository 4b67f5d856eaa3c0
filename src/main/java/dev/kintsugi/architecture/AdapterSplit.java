package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
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
    private static final String PREFIX = "base_model.model.";
    private static final Pattern FACTOR =
            Pattern.compile("(.*)\\.(lora_[AB]|lora_magnitude_vector)(?:\\.([^.]+))?(\\.weight|\\.bias)");
    private static final Pattern EMBEDDING = Pattern.compile("(.*)\\.(lora_embedding_[AB])(?:\\.([^.]+))?");
    private static final Pattern TRAINED = Pattern.compile("(.*)\\.modules_to_save\\.([^.]+)\\.(.*)");

    /// The base's and the adapter's tensors under their names on disk, each with the name it had.
    record Parts(SequencedMap<String, String> base, SequencedMap<String, String> adapter) {}

    private AdapterSplit() {}

    static boolean isAdapted(Iterable<String> names) {
        for (String name : names) {
            if (FACTOR.matcher(name).matches() || EMBEDDING.matcher(name).matches()) {
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
        TreeSet<String> adapters = new TreeSet<>();
        for (String name : names) {
            Matcher factor = FACTOR.matcher(name);
            Matcher embedding = EMBEDDING.matcher(name);
            Matcher trained = TRAINED.matcher(name);
            if (factor.matches()) {
                adapters.add(named(factor.group(3)));
                put(adapter, prefixed(factor.group(1) + "." + factor.group(2) + factor.group(4)), name);
            } else if (embedding.matches()) {
                adapters.add(named(embedding.group(3)));
                put(adapter, prefixed(embedding.group(1) + "." + embedding.group(2)), name);
            } else if (trained.matches()) {
                put(adapter, prefixed(trained.group(1) + "." + trained.group(3)), name);
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
        return new Parts(base, adapter);
    }

    private static String named(@Nullable String adapter) {
        return adapter == null ? "default" : adapter;
    }

    private static String prefixed(String name) {
        return name.startsWith(PREFIX) ? name : PREFIX + name;
    }

    private static String bare(String name) {
        String bare = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
        return bare.replace(".base_layer.", ".").replace(".original_module.", ".");
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

    /// The factors of `tensors`, which have their names on disk, by the name of the weight they change.
    static SequencedMap<String, LoraPair> pairs(StateDict tensors) {
        SequencedMap<String, LoraPair> pairs = new LinkedHashMap<>();
        tensors.tensors().forEach((name, a) -> {
            if (name.endsWith(".lora_A.weight")) {
                pair(pairs, tensors, name, a, ".lora_A.weight", ".lora_B.weight");
            } else if (name.endsWith(".lora_embedding_A")) {
                pair(pairs, tensors, name, a, ".lora_embedding_A", ".lora_embedding_B");
            }
        });
        return pairs;
    }

    private static void pair(
            SequencedMap<String, LoraPair> pairs,
            StateDict tensors,
            String name,
            Tensor a,
            String suffixA,
            String suffixB) {
        String module = name.substring(0, name.length() - suffixA.length());
        Tensor b = tensors.find(module + suffixB)
                .orElseThrow(() -> new Fault(
                        Code.K4011,
                        name + " has no counterpart " + module + suffixB,
                        "the adapter is incomplete",
                        "copy the checkpoint again"));
        boolean embedding = suffixA.equals(".lora_embedding_A");
        boolean matrices = a.spec().shape().ndim() == 2 && b.spec().shape().ndim() == 2;
        if (!matrices || a.spec().shape().dim(0) != b.spec().shape().dim(1)) {
            throw new Fault(
                    Code.K4011,
                    name + " is " + a.spec() + ", " + module + suffixB + " is " + b.spec(),
                    "the factors of a pair share their rank",
                    "copy the checkpoint again, or export the names as they are with --keys as-is");
        }
        String weight = module.substring(PREFIX.length()) + ".weight";
        pairs.put(weight, new LoraPair(weight, a, b, embedding));
    }
}
