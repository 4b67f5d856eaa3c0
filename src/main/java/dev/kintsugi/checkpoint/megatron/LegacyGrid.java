package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Where the files of a legacy checkpoint stand: tensor-, pipeline- and expert-parallel rank.
///
/// The files need not fill the grid: only ranks that are first in their data-parallel groups write one, so
/// with fewer expert- than tensor-parallel ranks some places have none.
///
/// @param places one per file, in the order of the files
/// @param tp tensor-parallel ranks
/// @param pp pipeline stages
/// @param ep expert-parallel ranks
/// @param etp tensor-parallel ranks of the experts
record LegacyGrid(List<Place> places, int tp, int pp, int ep, int etp) {
    private static final String EMBEDDING = "embedding.word_embeddings.weight";
    private static final int MAX_NAMED = 4;

    /// Where a file stands. `rank` numbers the files.
    record Place(LegacyShard shard, int rank, int tp, int pp, int ep) {}

    LegacyGrid {
        places = List.copyOf(places);
    }

    /// The grid of `shards`.
    ///
    /// **Errors.** [Fault] `K3001` for ranks that are missing, `K3002` for files of different runs, `K3101`
    /// for names that deny the job's arguments.
    static LegacyGrid of(List<LegacyShard> shards, Names names) {
        LegacyShard first = shards.getFirst();
        TrainingArgs args = first.args();
        checkOneRun(shards);
        int tp = size(args.tensorParallel(), shards, s -> s.directory().tp());
        int extra = first.directory().others().size();
        boolean pipeline = extra == 2 || (extra == 1 && isOfStages(shards, names));
        boolean expert = extra == 2 || (extra == 1 && !pipeline);
        if (extra == 1 && pipeline && args.expertParallel().orElse(1L) > 1) {
            throw damaged(first.directory().name() + " has one number for pipeline and expert rank");
        }
        int pp = pipeline
                ? size(
                        args.pipelineParallel(),
                        shards,
                        s -> s.directory().others().getFirst())
                : 1;
        int ep = expert
                ? size(
                        args.expertParallel(),
                        shards,
                        s -> s.directory().others().getLast())
                : 1;
        checkSize(args.pipelineParallel(), pp, "pipeline stages");
        checkSize(args.expertParallel(), ep, "expert-parallel ranks");
        int etp = Math.toIntExact(args.number("expert_tensor_parallel_size").orElse((long) tp));
        if (etp > tp || tp % etp != 0) {
            throw damaged(etp + " expert-tensor-parallel ranks on " + tp + " tensor-parallel ones");
        }
        List<Place> places = new ArrayList<>();
        for (LegacyShard shard : shards) {
            List<Integer> others = shard.directory().others();
            places.add(new Place(
                    shard,
                    places.size(),
                    shard.directory().tp(),
                    pipeline ? others.getFirst() : 0,
                    expert ? others.getLast() : 0));
        }
        LegacyGrid grid = new LegacyGrid(places, tp, pp, ep, etp);
        grid.checkComplete();
        return grid;
    }

    /// Whether the one number behind the tensor-parallel rank is of a pipeline stage: the args say it, or else
    /// the embedding does, which the first stage alone holds and every expert-parallel rank.
    private static boolean isOfStages(List<LegacyShard> shards, Names names) {
        TrainingArgs args = shards.getFirst().args();
        if (args.pipelineParallel().isPresent() || args.expertParallel().isPresent()) {
            return args.pipelineParallel().orElse(1L) > 1;
        }
        return !shards.stream()
                .allMatch(s -> s.chunks().getFirst().keySet().stream()
                        .anyMatch(n -> names.canonical(n).equals(EMBEDDING)));
    }

    private static void checkOneRun(List<LegacyShard> shards) {
        LegacyShard first = shards.getFirst();
        for (LegacyShard shard : shards) {
            if (shard.iteration() != first.iteration()) {
                throw new Fault(
                        Code.K3002,
                        shard.directory().name() + " is of iteration " + shard.iteration() + ", "
                                + first.directory().name() + " of " + first.iteration(),
                        "files of two saves were mixed",
                        "copy all ranks of one iteration");
            }
            if (shard.directory().others().size() != first.directory().others().size()) {
                throw damaged(first.directory().name() + " and "
                        + shard.directory().name() + " are of grids with different dims");
            }
        }
    }

    /// The size the arguments say, or the largest number there is and one.
    private static int size(Optional<Long> said, List<LegacyShard> shards, ToIntFunction<LegacyShard> number) {
        int largest = shards.stream().mapToInt(number).max().orElse(0);
        int size = Math.toIntExact(said.orElse(largest + 1L));
        if (largest >= size) {
            throw damaged("a rank " + largest + " of " + size);
        }
        Limit.RANKS.check(size, Code.K3101, () -> "a rank " + largest + " of " + size);
        return size;
    }

    private static void checkSize(Optional<Long> said, int found, String what) {
        if (said.isPresent() && said.get() != found) {
            throw damaged("the names of the directories tell of " + found + " " + what + ", the args of " + said.get());
        }
    }

    private void checkComplete() {
        Set<String> there = places.stream().map(p -> p.tp() + " " + p.pp()).collect(Collectors.toSet());
        Set<String> experts = places.stream()
                .map(p -> p.tp() % etp + " " + p.pp() + " " + p.ep())
                .collect(Collectors.toSet());
        List<String> missing = new ArrayList<>();
        for (int stage = 0; stage < pp && missing.size() <= MAX_NAMED; stage++) {
            String ofStage = pp > 1 ? " of stage " + stage : "";
            for (int rank = 0; rank < tp && missing.size() <= MAX_NAMED; rank++) {
                if (!there.contains(rank + " " + stage)) {
                    missing.add("tensor-parallel rank " + rank + ofStage);
                }
            }
            for (int place = 0; place < ep * etp && missing.size() <= MAX_NAMED; place++) {
                if (!experts.contains(place % etp + " " + stage + " " + place / etp)) {
                    missing.add("expert-parallel rank " + place / etp + ofStage);
                }
            }
        }
        if (!missing.isEmpty()) {
            throw new Fault(
                    Code.K3001,
                    "no file of " + String.join(", ", missing.subList(0, Math.min(MAX_NAMED, missing.size())))
                            + (missing.size() > MAX_NAMED ? " and more" : ""),
                    "they were written on another host, or were not copied",
                    "copy all mp_rank_* directories into one place");
        }
    }

    /// Where each virtual stage's layers begin: one list per file, one number per virtual stage in it.
    ///
    /// Layers are counted in the files: the first virtual stages of all pipeline ranks come first. So uneven
    /// splits need no arithmetic.
    ///
    /// **Errors.** [Fault] `K3101` where ranks of one stage hold different layers.
    List<List<Integer>> layerOffsets(Names names) {
        NamePattern layer = new NamePattern("decoder.layers.{layer}.{any}");
        int chunks = places.getFirst().shard().chunks().size();
        int[][] counts = new int[chunks][pp];
        for (Place place : places) {
            if (place.shard().chunks().size() != chunks) {
                throw damaged(place.shard().directory().name() + " holds "
                        + place.shard().chunks().size() + " virtual stages, others " + chunks);
            }
            for (int chunk = 0; chunk < chunks; chunk++) {
                int count = count(place, chunk, layer, names);
                boolean firstOfStage = places.stream()
                                .filter(p -> p.pp() == place.pp())
                                .findFirst()
                                .orElseThrow()
                        == place;
                if (!firstOfStage && counts[chunk][place.pp()] != count) {
                    throw damaged(place.shard().directory().name() + " holds " + count + " layers, another rank of its"
                            + " stage " + counts[chunk][place.pp()]);
                }
                counts[chunk][place.pp()] = count;
            }
        }
        List<List<Integer>> offsets = new ArrayList<>();
        places.forEach(p -> offsets.add(new ArrayList<>()));
        int next = 0;
        for (int chunk = 0; chunk < chunks; chunk++) {
            for (int stage = 0; stage < pp; stage++) {
                for (Place place : places) {
                    if (place.pp() == stage) {
                        offsets.get(place.rank()).add(next);
                    }
                }
                next = Math.addExact(next, counts[chunk][stage]);
            }
        }
        return offsets;
    }

    private static int count(Place place, int chunk, NamePattern layer, Names names) {
        Set<Integer> numbers = new TreeSet<>();
        for (String stored : place.shard().chunks().get(chunk).keySet()) {
            layer.match(names.canonical(stored))
                    .map(m -> m.get("layer"))
                    .map(Integer::valueOf)
                    .ifPresent(numbers::add);
        }
        if (!numbers.equals(IntStream.range(0, numbers.size()).boxed().collect(Collectors.toSet()))) {
            throw damaged(place.shard().directory().name() + " holds the layers " + numbers);
        }
        return numbers.size();
    }

    /// Stages, expert- and tensor-parallel ranks as a mesh, with the numbers of the files. `dp` is 1: one rank writes
    /// for
    /// all that hold the same.
    Optional<DeviceMesh> mesh() {
        Shape shape = ep > 1 ? Shape.of(pp, 1, ep, tp) : Shape.of(pp, 1, tp);
        if (shape.elementCount() > Limit.RANKS.value()) {
            return Optional.empty();
        }
        int[] ranks = new int[Math.toIntExact(shape.elementCount())];
        Arrays.fill(ranks, DeviceMesh.NO_RANK);
        places.forEach(p -> ranks[(p.pp() * ep + p.ep()) * tp + p.tp()] = p.rank());
        List<String> dims = ep > 1 ? List.of("pp", "dp", "ep", "tp") : List.of("pp", "dp", "tp");
        return Optional.of(DeviceMesh.of(dims, shape, ranks));
    }

    static Fault damaged(String what) {
        return new Fault(
                Code.K3101,
                what,
                "the directories are not of one save, or were renamed",
                "copy the checkpoint again as it was saved");
    }
}
