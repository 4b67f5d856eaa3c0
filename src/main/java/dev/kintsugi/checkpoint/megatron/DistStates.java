package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.checkpoint.megatron.DistReader.Common;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchValue;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Which entries of a `torch_dist` checkpoint are the optimizer's: `optimizer.state.STATE.PARAMETER`, behind
/// `chained_N.` where there are several optimizers.
///
/// Such an entry has the shape of its parameter, or is a [FlattenedGrid] of it. Of the distributed optimizer so are
/// `fully_reshardable` and `fully_sharded_model_space`. Its other ways to save, `dp_reshardable`
/// (`fully_sharded_bucket_space` before) and `dp_zero_gather_scatter`, write flat buffers and are refused: what is
/// where
/// in them is not in the files.
///
/// @param byState for each state, the entries and their parameters
record DistStates(SequencedMap<String, SequencedMap<String, String>> byState) {
    private static final Pattern OPTIMIZER = Pattern.compile("(?:chained_\\d{1,6}\\.|module\\.)*optimizer\\..+");
    private static final Pattern PARAMETER_STATE =
            Pattern.compile(".*optimizer\\.distributed\\..*\\.param_state(?:/.*)?");
    private static final Pattern STATE =
            Pattern.compile("(?:chained_(\\d{1,6})\\.)?optimizer\\.state\\.([A-Za-z0-9_]+)\\.(.+)");
    /// The master: of Megatron's other optimizers and `fully_sharded_model_space`, and of `fully_reshardable`.
    private static final Set<String> MASTERS = Set.of("fp32_param", "param");

    /// What `metadata` names; nothing if the job saved no optimizer.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K4012` for entries of another layout.
    static Optional<DistStates> of(DcpMetadata metadata, Names names) {
        Map<String, Entry> weights = new HashMap<>();
        metadata.tensors().forEach((name, entry) -> {
            if (!names.ignores(name)) {
                weights.put(names.canonical(name), entry);
            }
        });
        metadata.objects().stream()
                .filter(o -> OPTIMIZER.matcher(o).matches())
                .findFirst()
                .ifPresent(o -> {
                    throw distributed(metadata, o);
                });
        SequencedMap<String, SequencedMap<String, String>> byState = new LinkedHashMap<>();
        metadata.tensors().forEach((name, entry) -> {
            if (OPTIMIZER.matcher(name).matches()) {
                Matcher state = STATE.matcher(name);
                if (!state.matches()) {
                    throw distributed(metadata, name + " (" + entry.spec() + ")");
                }
                Shape shape = FlattenedGrid.of(metadata, name)
                        .map(FlattenedGrid::whole)
                        .orElse(entry.spec().shape());
                checkShape(name, entry, shape, Optional.ofNullable(weights.get(names.canonical(state.group(3)))));
                String key = MASTERS.contains(state.group(2)) ? OptimizerJoin.MASTER : state.group(2);
                byState.computeIfAbsent(key, k -> new LinkedHashMap<>()).put(name, state.group(3));
            }
        });
        return byState.isEmpty() ? Optional.empty() : Optional.of(new DistStates(byState));
    }

    /// The number of the optimizer that the entry `storedName` belongs to, 0 where there is one.
    int chain(String storedName) {
        Matcher state = STATE.matcher(storedName);
        return state.matches()
                ? Optional.ofNullable(state.group(1)).map(Integer::valueOf).orElse(0)
                : 0;
    }

    private static Fault distributed(DcpMetadata metadata, String what) {
        String way = metadata.objects().stream()
                        .anyMatch(o -> PARAMETER_STATE.matcher(o).matches())
                ? "dp_zero_gather_scatter"
                : "dp_reshardable (fully_sharded_bucket_space)";
        return OptimizerJoin.distributed(
                what,
                "the distributed optimizer was saved as " + way
                        + ": its flat buffers, and what is where in them is not in the files");
    }

    private static void checkShape(String name, Entry entry, Shape shape, Optional<Entry> weight) {
        if (weight.isEmpty()) {
            throw OptimizerJoin.refused(name + " (" + entry.spec() + ")", "no weight is named so");
        }
        if (!weight.get().spec().shape().equals(shape)) {
            throw OptimizerJoin.refused(
                    name + " is " + entry.spec() + ", its parameter "
                            + weight.get().spec(),
                    "a state has the shape of its parameter, or .metadata tells how the distributed optimizer flattened"
                            + " it");
        }
    }

    /// The step of each part that all its parameters share; nothing where it stands elsewhere.
    static List<Optional<Part>> steps(Common common, List<OptimizerPart> parts) {
        return parts.stream()
                .map(p -> p.states()
                        .flatMap(s -> Pickled.field(s, "common_step"))
                        .flatMap(v -> common.reader().read(v) instanceof TorchValue.Plain plain
                                ? Optional.of(part(common, plain.tensor()))
                                : Optional.empty()))
                .toList();
    }

    private static Part part(Common common, StridedTensor tensor) {
        return new Part(
                Region.whole(tensor.spec().shape()),
                tensor,
                -1,
                common.path(),
                tensor.storage().record(),
                tensor.storage().fileOffset() + tensor.byteOffset(),
                false,
                "common_step");
    }
}
