package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/// A LoRA adapter as peft stores one.
///
/// @param tensors under peft's names on disk, the adapter's own name left out of them
/// @param pairs the factors of each changed weight, under the weight's name
/// @param trained what was trained whole, by the name of the tensor of the model that it replaces
/// @param base the model's tensors beside it, under the names they have in memory; none where it stands alone
/// @param facts what files beside the checkpoint say of the adapter
public record Adapter(
        StateDict tensors,
        SequencedMap<String, LoraPair> pairs,
        SequencedMap<String, Tensor> trained,
        StateDict base,
        AdapterFacts facts) {
    public Adapter {
        pairs = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(pairs));
        trained = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(trained));
    }

    /// Alpha, from the option or the files.
    ///
    /// **Errors.** [Fault] `K4006` where nobody says it, or two say different things.
    public double alpha(OptionalDouble given) {
        if (given.isPresent()) {
            return given.getAsDouble();
        }
        return facts.alpha();
    }

    /// The rank that most pairs have.
    public long rank() {
        return commonRank(pairs.values());
    }

    /// The rank that a configuration of peft says, where it does not explain the ranks of the pairs.
    public OptionalLong ranksUnlikeSaid() {
        boolean explained =
                pairs.values().stream().allMatch(pair -> facts.rules().rank(pair.module()) == pair.rank());
        return explained || facts.peftConfig().isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(facts.peftConfig().get().path("r").asLong(0));
    }

    /// What `ΔW = B·A` is multiplied by for `pair`. **Source.** peft `LoraLayer.update_layer`.
    double scale(LoraPair pair, OptionalDouble givenAlpha) {
        double alpha = facts.rules()
                .pattern("alpha_pattern", pair.module())
                .map(value -> value.asDouble())
                .orElseGet(() -> alpha(givenAlpha));
        return alpha / (facts.rules().flag("use_rslora") ? Math.sqrt(pair.rank()) : pair.rank());
    }

    /// The last segment of each module that is adapted, as peft's `target_modules` has them.
    public List<String> targetModules() {
        TreeSet<String> modules = new TreeSet<>();
        pairs.values()
                .forEach(pair ->
                        modules.add(pair.module().substring(pair.module().lastIndexOf('.') + 1)));
        return List.copyOf(modules);
    }

    /// The text of `adapter_config.json`: what the tensors show, over what the files beside them say.
    ///
    /// **Errors.** [Fault] `K4006` where alpha is not known, `K4011` where only a configuration of peft could say
    /// what some tensors are.
    public String configText(OptionalDouble givenAlpha) {
        return new AdapterConfig(this).text(alpha(givenAlpha));
    }

    /// The rank that most pairs have; of two equally frequent, the smaller.
    private static long commonRank(Collection<LoraPair> pairs) {
        Map<Long, Integer> counts = new TreeMap<>();
        pairs.forEach(p -> counts.merge(p.rank(), 1, Integer::sum));
        return counts.entrySet().stream()
                .max(Map.Entry.<Long, Integer>comparingByValue()
                        .thenComparing(Map.Entry.<Long, Integer>comparingByKey().reversed()))
                .map(Map.Entry::getKey)
                .orElse(0L);
    }

    /// `model` with every pair merged into its weight, and what was trained whole in its place.
    ///
    /// Names are looked for as they are, and as `onDisk` has them.
    ///
    /// **Errors.** [Fault] `K4011` for a weight that is not there, or a kind of adapter that has no plain
    /// product.
    public StateDict mergeInto(StateDict model, OptionalDouble givenAlpha, UnaryOperator<String> onDisk) {
        facts.rules().firstNotPlain().ifPresent(key -> {
            throw unmerged("adapter_config.json sets " + key, "that is another product than W + scale · B·A");
        });
        SequencedMap<String, Tensor> merged = new LinkedHashMap<>(model.tensors());
        List<String> unplaced = new ArrayList<>();
        Set<String> placed = new HashSet<>();
        pairs.values().forEach(pair -> {
            double scale = scale(pair, givenAlpha);
            String weight = place(merged, pair.weightName(), onDisk);
            Tensor before = merged.get(weight);
            if (before == null || !pair.fits(before)) {
                unplaced.add(weight + (before == null ? "" : " " + before.spec()));
                return;
            }
            merged.put(weight, new LoraTensor(before, pair, scale));
            placed.addAll(pair.names());
            tensors.find(AdapterSplit.PREFIX + pair.module() + LoraPair.BIAS).ifPresent(addend -> {
                String bias = place(merged, pair.module() + ".bias", onDisk);
                Tensor old = merged.get(bias);
                if (old == null || !old.spec().shape().equals(addend.spec().shape())) {
                    unplaced.add(bias);
                } else {
                    merged.put(bias, new ShiftedTensor(old, addend, scale));
                }
            });
        });
        trained.forEach((name, tensor) -> {
            String disk = place(merged, name, onDisk);
            Tensor before = merged.get(disk);
            if (before != null && before.spec().shape().equals(tensor.spec().shape())) {
                merged.put(disk, tensor);
            } else {
                unplaced.add(disk + (before == null ? "" : " " + before.spec()));
            }
        });
        unplaced.addAll(unmergeable(placed));
        if (!unplaced.isEmpty()) {
            throw unmerged(
                    "no plain place for " + unplaced.size() + " of its weights, first " + unplaced.getFirst(),
                    model.size() == 0
                            ? "the checkpoint holds the adapter alone, and nothing to merge it into"
                            : "the adapter is of another model, or is no plain LoRA (DoRA, parameters, tokens)");
        }
        return StateDict.of(merged);
    }

    private static String place(SequencedMap<String, Tensor> model, String name, UnaryOperator<String> onDisk) {
        return model.containsKey(name) ? name : onDisk.apply(name);
    }

    /// The adapter's tensors that are neither of a pair, nor trained whole, nor a copy of the model's.
    private List<String> unmergeable(Set<String> placed) {
        Set<Tensor> known = Collections.newSetFromMap(new IdentityHashMap<>());
        known.addAll(trained.values());
        known.addAll(base.tensors().values());
        List<String> rest = new ArrayList<>();
        pairs.values().forEach(pair -> placed.addAll(pair.names()));
        tensors.tensors().forEach((name, tensor) -> {
            if (!placed.contains(name) && !known.contains(tensor)) {
                rest.add(name);
            }
        });
        return rest;
    }

    private static Fault unmerged(String what, String why) {
        return new Fault(
                Code.K4011,
                "the adapter cannot be merged: " + what,
                why,
                "keep it beside the model with --lora keep, and merge it with peft");
    }

    /// What says nothing of the adapter's tensors by their names alone, if there is any.
    Optional<String> nameless() {
        return unmergeable(new HashSet<>()).stream()
                .filter(name -> !name.endsWith(".lora_magnitude_vector"))
                .findFirst();
    }
}
