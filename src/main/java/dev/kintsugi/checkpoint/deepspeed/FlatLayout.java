package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Which ranges of the flat buffers make each parameter.
///
/// **Units.** Elements. **Errors.** [Fault] `K3102` where the buffers do not hold what the shapes ask for.
final class FlatLayout {
    private FlatLayout() {}

    /// Stage 1 and 2: `runs` holds one run per group, the partitions of all `ranks` ranks end to end.
    static SequencedMap<String, List<Slice>> partitioned(
            List<SequencedMap<String, Shape>> groups, List<FlatRun> runs, int ranks) {
        if (groups.size() != runs.size()) {
            throw damaged(groups.size() + " groups of parameters, but partitions of " + runs.size());
        }
        SequencedMap<String, List<Slice>> slices = new LinkedHashMap<>();
        for (int group = 0; group < groups.size(); group++) {
            FlatRun run = runs.get(group);
            long offset = 0;
            for (Map.Entry<String, Shape> parameter : groups.get(group).entrySet()) {
                long count = parameter.getValue().elementCount();
                put(slices, parameter.getKey(), run.slice(offset, count));
                offset = Math.addExact(offset, count);
            }
            long left = run.elementCount() - offset;
            if (left >= 2L * ranks) {
                throw damaged("the partitions of group " + group + " hold " + run.elementCount()
                        + " elements, its parameters " + offset + ": " + left
                        + " are left over, alignment explains fewer than " + 2L * ranks);
            }
        }
        return slices;
    }

    /// Stage 3: `runs` holds one run per rank, its sub groups end to end.
    static SequencedMap<String, List<Slice>> split(List<SequencedMap<String, Shape>> groups, List<FlatRun> runs) {
        SequencedMap<String, List<Slice>> slices = new LinkedHashMap<>();
        long offset = 0;
        for (SequencedMap<String, Shape> group : groups) {
            for (Map.Entry<String, Shape> parameter : group.entrySet()) {
                long count = parameter.getValue().elementCount();
                put(slices, parameter.getKey(), splitOne(runs, offset, count));
                offset = Math.addExact(offset, Math.ceilDiv(count, (long) runs.size()));
            }
        }
        for (int rank = 0; rank < runs.size(); rank++) {
            if (runs.get(rank).elementCount() != offset) {
                throw damaged("the flat groups of rank " + rank + " hold "
                        + runs.get(rank).elementCount() + " elements, its pieces of the parameters " + offset);
            }
        }
        return slices;
    }

    /// The slices of one parameter of `count` elements whose piece begins at element `offset` of each rank's
    /// run.
    static List<Slice> splitOne(List<FlatRun> runs, long offset, long count) {
        long per = Math.ceilDiv(count, (long) runs.size());
        List<Slice> slices = new ArrayList<>();
        for (int rank = 0; rank < runs.size(); rank++) {
            long held = Math.clamp(count - Math.multiplyExact(per, (long) rank), 0, per);
            List<Slice> pieces = runs.get(rank).slice(offset, held);
            for (int i = 0; i < pieces.size(); i++) {
                boolean last = i == pieces.size() - 1;
                slices.add(last ? pieces.get(i).withTrimmed(per - held) : pieces.get(i));
            }
        }
        return slices;
    }

    private static void put(SequencedMap<String, List<Slice>> slices, String name, List<Slice> value) {
        if (slices.put(name, value) != null) {
            throw damaged(name + " is in two groups of parameters");
        }
    }

    private static Fault damaged(String what) {
        return new Fault(
                Code.K3102,
                what,
                "files of two saves are mixed, or a file is of another run",
                "copy the whole step again; compare the files with: shards");
    }
}
