package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.LegacyGrid.Place;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.FlatSlice;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.torch.StridedTensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;

/// Puts the local tensors of a legacy checkpoint together: global layer and expert numbers, tensor-parallel
/// pieces.
final class LegacyReader {
    private static final NamePattern LAYER = new NamePattern("decoder.layers.{layer}.{any}");
    private static final NamePattern ROUTER = new NamePattern("decoder.layers.{layer}.mlp.router.weight");
    static final NamePattern EXPERT = new NamePattern("decoder.layers.{layer}.mlp.experts.experts.{expert}.{any}");

    private final LegacyGrid grid;
    private final ModelConfig config;
    private final Family family;
    private final Names names;

    private final Predicate<String> dropped;

    /// `dropped` says which names without a rule are to be left out.
    LegacyReader(LegacyGrid grid, ModelConfig config, Family family, Names names, Predicate<String> dropped) {
        this.dropped = dropped;
        this.grid = grid;
        this.config = config;
        this.family = family;
        this.names = names;
    }

    /// What one file holds of a tensor.
    private record Held(Place place, String storedName, StridedTensor tensor) {}

    /// The weights.
    ///
    /// **Errors.** [Fault] `K4011` for names without a rule, `K3001` and `K3003` where the ranks' pieces do
    /// not make a tensor.
    List<MegatronTensor> read() {
        return read(place -> place.shard().chunks());
    }

    /// Tensors of the same names and split as the weights are: `chunks` gives those of one file, a map for each
    /// virtual stage.
    ///
    /// **Errors.** [Fault] as of [#read()].
    List<MegatronTensor> read(Function<Place, List<SequencedMap<String, StridedTensor>>> chunks) {
        SequencedMap<String, List<Held>> byName = collect(chunks);
        boolean valueModel = localRows(byName, "output_layer.weight") == 1
                && localRows(byName, "embedding.word_embeddings.weight") != 1;
        List<MegatronTensor> tensors = new ArrayList<>();
        byName.forEach((name, held) -> {
            try {
                tensors.add(join(name, held, valueModel));
            } catch (Fault fault) {
                throw fault.at(name);
            }
        });
        return tensors;
    }

    /// Scalars, one a weight in each file that holds a part of it, by the global names of the weights.
    ///
    /// **Errors.** [Fault] `K3003` where the files differ.
    SequencedMap<String, Part> scalars(Function<Place, List<SequencedMap<String, StridedTensor>>> chunks) {
        SequencedMap<String, Part> scalars = new LinkedHashMap<>();
        collect(chunks).forEach((name, held) -> {
            Held first = held.getFirst();
            for (Held one : held) {
                if (!Arrays.equals(bytes(one), bytes(first))) {
                    throw new Fault(
                            Code.K3003,
                            name + ": " + first.place().shard().directory().name() + " and "
                                    + one.place().shard().directory().name() + " are at different steps of it",
                            "the files are not of one save",
                            "copy the checkpoint again as it was saved");
                }
            }
            scalars.put(name, part(first, Region.whole(first.tensor().spec().shape()), 0, false));
        });
        return scalars;
    }

    /// The global names of what `chunks` gives.
    Set<String> names(Function<Place, List<SequencedMap<String, StridedTensor>>> chunks) {
        return collect(chunks).keySet();
    }

    private static byte[] bytes(Held held) {
        TensorSpec spec = held.tensor().spec();
        byte[] bytes =
                new byte[Math.toIntExact(spec.elementCount() * spec.dtype().byteWidth())];
        held.tensor().read(0, spec.elementCount(), MemorySegment.ofArray(bytes));
        return bytes;
    }

    /// What the files hold, by global names.
    private SequencedMap<String, List<Held>> collect(
            Function<Place, List<SequencedMap<String, StridedTensor>>> chunks) {
        SequencedMap<String, List<Held>> byName = new LinkedHashMap<>();
        List<List<Integer>> offsets = grid.layerOffsets(names);
        long localExperts = localExperts();
        for (Place place : grid.places()) {
            List<Integer> layers = offsets.get(place.rank());
            for (int chunk = 0; chunk < layers.size(); chunk++) {
                int firstLayer = layers.get(chunk);
                String prefix = place.shard().prefix(chunk);
                chunks.apply(place).get(chunk).forEach((stored, tensor) -> {
                    String canonical = names.canonical(stored);
                    SequencedMap<String, StridedTensor> single = names.ofExperts(canonical)
                            .map(each -> GroupedExperts.split(canonical, each, tensor, localExperts))
                            .orElseGet(() -> new LinkedHashMap<>(Map.of(canonical, tensor)));
                    single.forEach((local, view) -> byName.computeIfAbsent(
                                    global(local, firstLayer, place.ep() * localExperts), n -> new ArrayList<>())
                            .add(new Held(place, prefix + stored, view)));
                });
            }
        }
        byName.keySet().removeIf(dropped);
        List<String> unmapped =
                byName.keySet().stream().filter(n -> family.match(n).isEmpty()).toList();
        if (!unmapped.isEmpty()) {
            throw family.unmapped(unmapped);
        }
        return byName;
    }

    /// The rows one file holds of the tensor `name`, 0 where no file holds any.
    private static long localRows(Map<String, List<Held>> byName, String name) {
        return byName.getOrDefault(name, List.of()).stream()
                .map(h -> h.tensor().spec().shape())
                .filter(s -> s.ndim() > 0)
                .mapToLong(s -> s.dim(0))
                .findFirst()
                .orElse(0);
    }

    /// How many experts one file holds of a layer: those with a number, or its share of the router's rows where
    /// experts are grouped.
    private long localExperts() {
        long count = 0;
        for (Place place : grid.places()) {
            for (SequencedMap<String, StridedTensor> chunk : place.shard().chunks()) {
                boolean grouped = false;
                long routed = 0;
                for (Map.Entry<String, StridedTensor> entry : chunk.entrySet()) {
                    String name = names.canonical(entry.getKey());
                    count = Math.max(
                            count,
                            EXPERT.match(name)
                                    .map(m -> Long.parseLong(m.get("expert")) + 1)
                                    .orElse(0L));
                    grouped |= names.ofExperts(name).isPresent();
                    if (ROUTER.match(name).isPresent()) {
                        routed = entry.getValue().spec().shape().dim(0);
                    }
                }
                count = grouped ? Math.max(count, routed / grid.ep()) : count;
            }
        }
        TrainingArgs args = grid.places().getFirst().shard().args();
        long all = count * grid.ep();
        if (count > 0 && args.number("num_experts").filter(n -> n != all).isPresent()) {
            throw LegacyGrid.damaged("the files hold " + count + " experts on each of " + grid.ep()
                    + " expert-parallel ranks, the args say "
                    + args.number("num_experts").orElse(0L));
        }
        return count;
    }

    private static String global(String name, int firstLayer, long firstExpert) {
        return EXPERT.match(name)
                .map(m -> NamePattern.fill(
                        "decoder.layers.{layer}.mlp.experts.experts.{expert}.{any}",
                        shifted(m, firstLayer, firstExpert)))
                .or(() -> LAYER.match(name)
                        .map(m -> NamePattern.fill("decoder.layers.{layer}.{any}", shifted(m, firstLayer, 0))))
                .orElse(name);
    }

    private static Map<String, String> shifted(Map<String, String> values, int firstLayer, long firstExpert) {
        Map<String, String> shifted = new LinkedHashMap<>(values);
        shifted.computeIfPresent("layer", (k, v) -> Long.toString(Long.parseLong(v) + firstLayer));
        shifted.computeIfPresent("expert", (k, v) -> Long.toString(Long.parseLong(v) + firstExpert));
        return shifted;
    }

    private MegatronTensor join(String name, List<Held> held, boolean valueModel) {
        Rule rule = family.match(name).orElseThrow().rule();
        boolean expert = EXPERT.match(name).isPresent();
        Held first = held.getFirst();
        if (held.stream().anyMatch(h -> h.place().pp() != first.place().pp())) {
            throw new Fault(
                    Code.K4013,
                    "two pipeline stages hold it",
                    "the files are not of one save",
                    "copy the checkpoint again as it was saved");
        }
        TensorSpec local = first.tensor().spec();
        for (Held one : held) {
            if (!one.tensor().spec().equals(local)) {
                throw new Fault(
                        Code.K3003,
                        first.place().shard().directory().name() + " holds " + local + ", "
                                + one.place().shard().directory().name() + " "
                                + one.tensor().spec(),
                        "the files are not of one save",
                        "copy the checkpoint again as it was saved");
            }
        }
        int ways = expert ? grid.etp() : grid.tp();
        long localRows = local.shape().ndim() == 0 ? 0 : local.shape().dim(0);
        boolean replicated = ways == 1
                || (valueModel && rule.oneRow().isPresent())
                || rule.split(localRows, ways, config).orElseThrow(() -> unknown(rule, local, ways)) == Rule.Split.SAME;
        TensorSpec whole = replicated ? local : whole(rule, local, ways);
        List<Part> parts = replicated ? copies(held) : split(rule, held, ways);
        return new MegatronTensor(
                name, first.storedName(), whole, parts, meshDims(expert), placements(expert, first.place()));
    }

    private Fault unknown(Rule rule, TensorSpec local, int ways) {
        String rows = String.join(" + ", rule.rowsOf());
        return new Fault(
                Code.K4011,
                "how " + ways + " tensor-parallel ranks hold it is not known: each has " + local,
                config.sum(rule.rowsOf())
                        .map(n -> "all have " + n + " rows, config.json says as " + rows)
                        .orElse("versions of Megatron differ about it, and config.json does not say " + rows),
                "check that config.json belongs to this checkpoint, or save the checkpoint as torch_dist");
    }

    private static List<Part> copies(List<Held> held) {
        List<Part> parts = new ArrayList<>();
        for (Held one : held) {
            Region region = Region.whole(one.tensor().spec().shape());
            parts.add(part(one, region, 0, !parts.isEmpty()));
        }
        return parts;
    }

    private static TensorSpec whole(Rule rule, TensorSpec local, int ways) {
        int dim = rule.tp() == Rule.Split.COLUMNS ? 1 : 0;
        if (local.shape().ndim() <= dim) {
            throw LegacyGrid.damaged("is " + local + ", which no tensor-parallel rank holds a part of");
        }
        return new TensorSpec(
                local.dtype(),
                local.shape().with(dim, Math.multiplyExact(local.shape().dim(dim), ways)));
    }

    private static List<Part> split(Rule rule, List<Held> held, int ways) {
        TreeMap<Integer, List<Held>> byPosition = new TreeMap<>();
        held.forEach(h -> byPosition
                .computeIfAbsent(h.place().tp() % ways, p -> new ArrayList<>())
                .add(h));
        if (byPosition.size() != ways) {
            throw new Fault(
                    Code.K3001,
                    "tensor-parallel ranks " + byPosition.keySet() + " hold it, " + ways + " should",
                    "the files are not of one save",
                    "copy the checkpoint again as it was saved");
        }
        List<Part> parts = new ArrayList<>();
        byPosition.forEach((position, same) -> {
            for (Held one : same) {
                parts.addAll(parts(rule, one, position, ways, one != same.getFirst()));
            }
        });
        return parts;
    }

    private static List<Part> parts(Rule rule, Held held, int position, int ways, boolean replica) {
        Shape shape = held.tensor().spec().shape();
        Shape origin = Shape.zeros(shape.ndim());
        if (rule.tp() == Rule.Split.COLUMNS) {
            return List.of(part(held, new Region(origin.with(1, position * shape.dim(1)), shape), 0, replica));
        }
        long rows = shape.dim(0);
        if (rule.rows() != Rule.RowOrder.GATE_UP) {
            return List.of(part(held, new Region(origin.with(0, position * rows), shape), 0, replica));
        }
        if (rows % 2 != 0) {
            throw LegacyGrid.damaged("has an odd number of rows, " + rows + ": no gate and up projection");
        }
        long half = rows / 2;
        Shape halfShape = shape.with(0, half);
        return List.of(
                part(held, new Region(origin.with(0, position * half), halfShape), 0, replica),
                part(held, new Region(origin.with(0, (ways + position) * half), halfShape), half, replica));
    }

    /// The rows from `firstRow` on of what a file holds, as the part that fills `region`.
    private static Part part(Held held, Region region, long firstRow, boolean replica) {
        StridedTensor tensor = held.tensor();
        long first = firstRow * tensor.spec().shape().elementCountFrom(Math.min(1, region.ndim()));
        long skipped = firstRow == 0 ? 0 : firstRow * tensor.strides().dim(0);
        Tensor local = FlatSlice.of(tensor, first, region.shape());
        return new Part(
                region,
                local,
                held.place().rank(),
                held.place().shard().file().path(),
                tensor.storage().record(),
                tensor.storage().fileOffset()
                        + tensor.byteOffset()
                        + skipped * tensor.spec().dtype().byteWidth(),
                replica,
                held.storedName());
    }

    private List<String> meshDims(boolean expert) {
        List<String> dims = new ArrayList<>();
        if (grid.pp() > 1) {
            dims.add("pp=" + grid.pp());
        }
        if (expert && grid.ep() > 1) {
            dims.add("ep=" + grid.ep());
        }
        return dims;
    }

    private List<String> placements(boolean expert, Place place) {
        List<String> placements = new ArrayList<>();
        if (grid.pp() > 1) {
            placements.add("Stage(" + place.pp() + ")");
        }
        if (expert && grid.ep() > 1) {
            placements.add("Rank(" + place.ep() + ")");
        }
        return placements;
    }
}
