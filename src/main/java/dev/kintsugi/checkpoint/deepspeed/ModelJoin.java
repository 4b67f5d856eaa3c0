package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.sharding.FlatBoxes;
import dev.kintsugi.sharding.FlatRange;
import dev.kintsugi.sharding.FlatTensor;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;

/// The tensors of a model as they are put together, with what each rank holds of them.
final class ModelJoin {
    private final int worldSize;
    private final DType master;
    private final SequencedMap<String, JoinedTensor> joined = new LinkedHashMap<>();
    private final TreeMap<Integer, SequencedMap<String, Tensor>> ranks = new TreeMap<>();
    private final SequencedMap<String, Layout> holes = new LinkedHashMap<>();
    private final List<String> widened = new ArrayList<>();
    private final List<Note> notes = new ArrayList<>();
    private DType widenedFrom = DType.BF16;

    /// A model over `worldSize` ranks, beside whose masters of `master` all else is widened.
    ModelJoin(int worldSize, DType master) {
        this.worldSize = worldSize;
        this.master = master;
    }

    /// Puts `name` together from `slices`; one of them without data makes it a hole.
    void flat(String name, TensorSpec stored, List<Slice> slices, String placement) {
        List<FlatRange> ranges = new ArrayList<>();
        List<Piece> pieces = new ArrayList<>();
        List<Layout.Absent> absent = new ArrayList<>();
        long at = 0;
        for (Slice slice : slices) {
            if (slice.stored().isPresent()) {
                Stored part = slice.stored().get();
                ranges.add(new FlatRange(part.tensor(), slice.first(), slice.count()));
                addPieces(pieces, stored, part, slice, at);
            } else {
                FlatBoxes.of(stored.shape(), at, slice.count())
                        .forEach(box -> absent.add(new Layout.Absent(slice.rank(), box)));
            }
            at += slice.count();
        }
        addToRanks(name, slices);
        List<String> meshDims = List.of("dp=" + worldSize);
        if (slices.stream().anyMatch(s -> s.stored().isEmpty())) {
            holes.put(name, new Layout(name, "flat", stored, meshDims, List.of(placement), pieces, absent));
            return;
        }
        try {
            Tensor tensor = widen(name, FlatTensor.of(stored, ranges));
            put(name, tensor, "flat", meshDims, List.of(placement), pieces);
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }

    private static void addPieces(List<Piece> pieces, TensorSpec spec, Stored part, Slice slice, long globalAt) {
        int width = spec.dtype().byteWidth();
        long at = slice.first();
        List<Region> boxes = FlatBoxes.of(spec.shape(), globalAt, slice.count());
        for (int i = 0; i < boxes.size(); i++) {
            boolean last = i == boxes.size() - 1;
            pieces.add(new Piece(
                    slice.rank(),
                    part.file(),
                    part.record(),
                    part.byteOffset() + at * width,
                    boxes.get(i),
                    last ? slice.trimmed() : 0,
                    false));
            at += boxes.get(i).elementCount();
        }
    }

    /// A rank holds a parameter's elements as a 1-D tensor.
    private void addToRanks(String name, List<Slice> slices) {
        Map<Integer, List<FlatRange>> byRank = new TreeMap<>();
        for (Slice slice : slices) {
            slice.stored()
                    .ifPresent(s -> byRank.computeIfAbsent(slice.rank(), r -> new ArrayList<>())
                            .add(new FlatRange(s.tensor(), slice.first(), slice.count())));
        }
        byRank.forEach((rank, ranges) -> {
            DType dtype = ranges.getFirst().source().spec().dtype();
            long count = ranges.stream().mapToLong(FlatRange::elementCount).sum();
            ranks.computeIfAbsent(rank, r -> new LinkedHashMap<>())
                    .put(name, FlatTensor.of(new TensorSpec(dtype, Shape.of(count)), ranges));
        });
    }

    /// Takes `name` whole from one file, of rank `-1` where that belongs to none.
    void whole(String name, Stored stored) {
        Tensor tensor = widen(name, stored.tensor());
        TensorSpec spec = tensor.spec();
        put(
                name,
                tensor,
                "plain",
                List.of(),
                List.of(),
                List.of(new Piece(
                        stored.rank(),
                        stored.file(),
                        stored.record(),
                        stored.byteOffset(),
                        Region.whole(spec.shape()),
                        0,
                        false)));
    }

    /// Gives the tensor `owner` the second name `alias`, if it could be put together.
    void alias(String alias, String owner) {
        Optional.ofNullable(joined.get(owner)).ifPresent(j -> {
            Layout layout = j.layout();
            joined.put(
                    alias,
                    new JoinedTensor(
                            j.tensor(),
                            new Layout(
                                    layout.storedName(),
                                    "shared with " + owner,
                                    layout.spec(),
                                    layout.meshDims(),
                                    layout.placements(),
                                    layout.pieces())));
            notes.add(Note.information(alias + " is shared with " + owner));
        });
    }

    private Tensor widen(String name, Tensor tensor) {
        if (WidenedTensor.applies(tensor.spec().dtype(), master)) {
            widened.add(name);
            widenedFrom = tensor.spec().dtype();
        }
        return WidenedTensor.of(tensor, master);
    }

    private void put(
            String name,
            Tensor tensor,
            String kind,
            List<String> meshDims,
            List<String> placements,
            List<Piece> pieces) {
        joined.put(name, new JoinedTensor(tensor, new Layout(name, kind, tensor.spec(), meshDims, placements, pieces)));
    }

    boolean has(String name) {
        return joined.containsKey(name) || holes.containsKey(name);
    }

    /// The names that could not be put together, and how what is there of them lies.
    SequencedMap<String, Layout> holes() {
        return holes;
    }

    /// What a person should know.
    List<Note> notes() {
        List<Note> all = new ArrayList<>(notes);
        if (!widened.isEmpty()) {
            all.add(Note.information(widened.size() + " tensors without " + master
                    + " masters (frozen parameters, buffers) are stored in " + widenedFrom
                    + " and widened, which is exact: " + some(widened)));
        }
        return all;
    }

    static String some(Collection<String> names) {
        return String.join(", ", names.stream().limit(3).toList()) + (names.size() > 3 ? ", …" : "");
    }

    /// The tensors, those of `order` first and in its order.
    SequencedMap<String, JoinedTensor> joined(Iterable<String> order) {
        SequencedMap<String, JoinedTensor> sorted = new LinkedHashMap<>();
        for (String name : order) {
            Optional.ofNullable(joined.get(name)).ifPresent(j -> sorted.put(name, j));
        }
        joined.forEach(sorted::putIfAbsent);
        return sorted;
    }

    SequencedMap<Integer, StateDict> ranks() {
        SequencedMap<Integer, StateDict> views = new LinkedHashMap<>();
        ranks.forEach((rank, tensors) -> views.put(rank, StateDict.of(tensors)));
        return views;
    }
}
