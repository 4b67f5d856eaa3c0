package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.FlatBuffer;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Part;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;

/// The flat buffers of all ranks.
///
/// @param worldSize how many ranks share them
/// @param absent the ranks without a readable file
record ZeroRanks(int worldSize, SortedMap<Integer, OptimizerStates> byRank, List<Integer> absent) {

    /// Checks that `states` are of one save and numbers their ranks.
    ///
    /// **Errors.** [Fault] `K3002` for ranks of different saves, `K3006` for a rank beyond the count.
    static ZeroRanks of(List<OptimizerStates> states, OptionalInt savedWorldSize, int fileCount) {
        OptimizerStates first = states.getFirst();
        SortedMap<Integer, OptimizerStates> byRank = new TreeMap<>();
        for (OptimizerStates state : states) {
            byRank.put(state.rank(), state);
            if (state.split() != first.split()
                    || !state.partitionCount().equals(first.partitionCount())
                    || !state.stage().equals(first.stage())
                    || state.flats().size() != first.flats().size()
                    || !dtype(state).equals(dtype(first))) {
                throw mixed(state.file().name() + " and " + first.file().name()
                        + " differ in stage, ranks, groups or dtype");
            }
        }
        checkSteps(states);
        int world = first.partitionCount().orElse(savedWorldSize.orElse(fileCount));
        if (byRank.lastKey() >= world) {
            throw new Fault(
                    Code.K3006,
                    first.file().name() + " says " + world + " ranks share a group, there is a file of rank "
                            + byRank.lastKey(),
                    "files of two jobs are mixed, or groups are shared by less than all ranks (MiCS)",
                    "remove the files of the other job");
        }
        List<Integer> absent = new ArrayList<>();
        for (int rank = 0; rank < world; rank++) {
            if (!byRank.containsKey(rank)) {
                absent.add(rank);
            }
        }
        return new ZeroRanks(world, byRank, absent);
    }

    private static Optional<DType> dtype(OptimizerStates state) {
        return state.flats().stream().findFirst().map(t -> t.spec().dtype());
    }

    private static void checkSteps(List<OptimizerStates> states) {
        SortedMap<Long, TreeSet<Integer>> bySteps = new TreeMap<>();
        for (OptimizerStates state : states) {
            StateReading.step(state)
                    .ifPresent(step ->
                            bySteps.computeIfAbsent(step, s -> new TreeSet<>()).add(state.rank()));
        }
        if (bySteps.size() > 1) {
            List<String> parts = new ArrayList<>();
            bySteps.forEach((step, ranks) -> parts.add("ranks " + Ranks.text(ranks) + " made " + step + " steps"));
            throw mixed(String.join(", ", parts));
        }
    }

    private static Fault mixed(String what) {
        return new Fault(
                Code.K3002,
                what,
                "files of different saves or runs are mixed",
                "copy all *_optim_states.pt of one step again");
    }

    boolean split() {
        return byRank.firstEntry().getValue().split();
    }

    /// The dtype of the masters; `F32` where there are none.
    DType masterDtype() {
        return dtype(byRank.firstEntry().getValue()).orElse(DType.F32);
    }

    int flatCount() {
        return byRank.firstEntry().getValue().flats().size();
    }

    /// Which slices of the masters make each parameter of `groups`.
    SequencedMap<String, List<Slice>> masters(List<SequencedMap<String, Shape>> groups) {
        return slices(groups, this::master);
    }

    /// Which slices of other buffers, laid out as the masters, make each parameter of `groups`. A buffer may
    /// be longer than its master.
    SequencedMap<String, List<Slice>> slices(
            List<SequencedMap<String, Shape>> groups, BiFunction<OptimizerStates, Integer, Optional<Stored>> buffer) {
        List<FlatRun> runs = runs(groups, buffer);
        return split() ? FlatLayout.split(groups, runs) : FlatLayout.partitioned(groups, runs, worldSize);
    }

    /// What lies where in the masters' buffers, where [#masters] finds no fault in them.
    List<FlatBuffer> buffers(List<SequencedMap<String, Shape>> groups) {
        List<FlatRun> runs = runs(groups, this::master);
        return split() ? FlatBuffers.split(groups, runs) : FlatBuffers.partitioned(groups, runs);
    }

    private Optional<Stored> master(OptimizerStates state, int index) {
        return Optional.of(Stored.of(state.rank(), state.file(), state.flats().get(index)));
    }

    /// Stage 3: one run per rank; else one per group.
    private List<FlatRun> runs(
            List<SequencedMap<String, Shape>> groups, BiFunction<OptimizerStates, Integer, Optional<Stored>> buffer) {
        List<FlatRun> runs = new ArrayList<>();
        int count = split() ? worldSize : flatCount();
        for (int i = 0; i < count; i++) {
            runs.add(split() ? runOfRank(i, groups, buffer) : runOfGroup(i, groups, buffer));
        }
        return runs;
    }

    private FlatRun runOfRank(
            int rank,
            List<SequencedMap<String, Shape>> groups,
            BiFunction<OptimizerStates, Integer, Optional<Stored>> buffer) {
        OptimizerStates state = byRank.get(rank);
        if (state == null) {
            long count = 0;
            for (SequencedMap<String, Shape> group : groups) {
                for (Shape shape : group.values()) {
                    count = Math.addExact(count, Math.ceilDiv(shape.elementCount(), (long) worldSize));
                }
            }
            return new FlatRun(List.of(new Part(rank, count, Optional.empty())));
        }
        List<Part> parts = new ArrayList<>();
        for (int index = 0; index < state.flats().size(); index++) {
            parts.add(part(state, index, buffer));
        }
        return new FlatRun(parts);
    }

    private FlatRun runOfGroup(
            int group,
            List<SequencedMap<String, Shape>> groups,
            BiFunction<OptimizerStates, Integer, Optional<Stored>> buffer) {
        List<Part> parts = new ArrayList<>();
        for (int rank = 0; rank < worldSize; rank++) {
            OptimizerStates state = byRank.get(rank);
            parts.add(
                    state == null
                            ? new Part(rank, alignedPartition(group, groups), Optional.empty())
                            : part(state, group, buffer));
        }
        return new FlatRun(parts);
    }

    /// How long the partition of a missing rank was: groups are padded to a multiple of twice the ranks.
    ///
    /// **Errors.** [Fault] `K3001` if those that are there are not so long.
    private long alignedPartition(int group, List<SequencedMap<String, Shape>> groups) {
        long count = 0;
        if (group < groups.size()) {
            for (Shape shape : groups.get(group).values()) {
                count = Math.addExact(count, shape.elementCount());
            }
        }
        long length = Math.multiplyExact(2L, Math.ceilDiv(count, 2L * worldSize));
        for (OptimizerStates state : byRank.values()) {
            long present = state.flats().get(group).spec().elementCount();
            if (present != length && state.rank() != worldSize - 1) {
                throw missing("the length of their partitions is not known");
            }
        }
        return length;
    }

    private static Part part(
            OptimizerStates state, int index, BiFunction<OptimizerStates, Integer, Optional<Stored>> buffer) {
        long length = state.flats().get(index).spec().elementCount();
        Optional<Stored> stored = buffer.apply(state, index);
        if (stored.isPresent() && stored.get().elementCount() < length) {
            throw new Fault(
                    Code.K3102,
                    state.file().name() + ": a buffer of " + stored.get().elementCount()
                            + " elements beside a master of " + length,
                    "the file is of another optimizer",
                    "copy the file again");
        }
        return new Part(state.rank(), length, stored);
    }

    Fault missing(String what) {
        return new Fault(
                Code.K3001,
                worldSize + " ranks share the optimizer's buffers, have ranks " + Ranks.text(byRank.keySet())
                        + ", missing " + Ranks.text(absent) + absentFiles() + (what.isEmpty() ? "" : "; " + what),
                "those ranks were written on another host, or were not copied",
                "copy their *_optim_states.pt here, open several directories at once (open DIR DIR …), or look at the"
                        + " rest with: open … --allow-missing");
    }

    /// ` (bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt)`: the files that are not there, as those that are are named.
    private String absentFiles() {
        if (byRank.isEmpty() || absent.isEmpty()) {
            return "";
        }
        String present = byRank.values().iterator().next().file().name();
        List<String> names = absent.stream()
                .limit(4)
                .map(rank -> present.replaceFirst("pp_rank_\\d+_", "pp_rank_" + rank + "_"))
                .toList();
        return " (" + String.join(", ", names) + (absent.size() > 4 ? ", …" : "") + ")";
    }
}
