package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Joining;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.LocalSlice;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.DTensor;
import dev.kintsugi.torch.ShardedTensor;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Joins what the ranks hold under one name.
final class RankJoin {
    private final RankFiles files;
    private final OpenOptions options;
    private final List<Integer> absent;
    private final PlainJoin plain;
    private final List<Note> notes;
    private final Map<String, Layout> holes = new LinkedHashMap<>();
    private final LocalSlices.Known slices = new LocalSlices.Known();
    private long trimmedElements;
    private int trimmedTensors;

    RankJoin(RankFiles files, OpenOptions options, List<Integer> absent, List<Note> notes) {
        this.files = files;
        this.options = options;
        this.absent = absent;
        this.notes = notes;
        this.plain = new PlainJoin(options, files.worldSize(), notes);
        options.mesh().ifPresent(m -> {
            if (m.shape().elementCount() != files.worldSize()) {
                throw new Fault(
                        Code.K3007,
                        "a mesh of " + m.shape() + " has " + m.shape().elementCount() + " ranks, the checkpoint "
                                + files.worldSize(),
                        "the sizes of all mesh dims multiply to the world size",
                        "give --mesh sizes that do, such as --mesh " + files.worldSize());
            }
        });
    }

    /// Joins `values`, of the ranks that have the name; `partCount` ranks could be read.
    JoinedTensor join(String name, Map<RankPart, TorchValue> values, int partCount) {
        Class<?> type = values.values().iterator().next().getClass();
        List<Integer> others = ranksWhere(values, v -> v.getClass() == type).disagreeing();
        if (!others.isEmpty()) {
            throw disagree(name, others, "hold another kind of value than the others");
        }
        if (type == DTensor.class) {
            Map<RankPart, DTensor> typed = new LinkedHashMap<>();
            values.forEach((part, value) -> typed.put(part, (DTensor) value));
            return distributed(name, typed);
        }
        if (type == ShardedTensor.class) {
            Map<RankPart, ShardedTensor> typed = new LinkedHashMap<>();
            values.forEach((part, value) -> typed.put(part, (ShardedTensor) value));
            return sharded(name, typed);
        }
        if (values.size() != partCount) {
            List<Integer> have = values.keySet().stream().map(RankPart::rank).toList();
            throw disagree(name, have, "hold this tensor and the others do not");
        }
        if (!absent.isEmpty()) {
            throw missing(name, "it has no placement metadata, so nothing tells what they held", null);
        }
        Map<RankPart, StridedTensor> typed = new LinkedHashMap<>();
        values.forEach((part, value) -> typed.put(part, ((TorchValue.Plain) value).tensor()));
        return plain.join(name, typed);
    }

    private JoinedTensor distributed(String name, Map<RankPart, DTensor> values) {
        checkAgree(name, values, DTensor::spec, "say it is");
        checkAgree(name, values, DTensor::placements, "say it is placed");
        checkAgree(name, values, v -> v.mesh().shape(), "say its mesh is");
        DTensor one = values.values().iterator().next();
        if (one.undecidable() && options.mesh().isEmpty() && files.fsdpVersion().orElse(0) != 1) {
            throw new Fault(
                    Code.K4002,
                    name + ": placements " + one.placements() + " split one dim twice",
                    "torch before 2.5 did not write which mesh dim split first under FSDP2 with tensor parallelism",
                    "save again with torch 2.5 or later, or say that the order is left to right by giving --mesh");
        }
        Joining joining = new Joining(name, "DTensor", one.spec());
        DeviceMesh mesh = options.mesh().map(m -> m.mesh()).orElse(one.mesh());
        LocalSlices ofShape = slices.of(one.spec().shape(), mesh.shape(), one.placements());
        long trimmedBefore = trimmedElements;
        values.forEach((part, value) -> {
            LocalSlice slice = slice(name, part, value, ofShape);
            checkLocal(name, part, value, slice);
            trimmedElements +=
                    value.local().spec().elementCount() - slice.region().elementCount();
            joining.add(slice.region(), value.local(), part.source(value.local()));
        });
        if (trimmedElements > trimmedBefore) {
            trimmedTensors++;
        }
        List<String> placements = new ArrayList<>();
        for (Placement placement : one.placements()) {
            placements.add(placement.toString());
        }
        return finished(name, joining, Optional.of(mesh), placements, absent(mesh, ofShape));
    }

    /// What the ranks that are not there should hold.
    private List<Layout.Absent> absent(DeviceMesh mesh, LocalSlices ofShape) {
        List<Layout.Absent> parts = new ArrayList<>();
        for (int rank : absent) {
            mesh.pieces(rank).map(ofShape::at).ifPresent(slice -> parts.add(new Layout.Absent(rank, slice.region())));
        }
        return parts;
    }

    private LocalSlice slice(String name, RankPart part, DTensor value, LocalSlices ofShape) {
        DeviceMesh mesh = options.mesh().map(m -> m.mesh()).orElse(value.mesh());
        if (mesh.ndim() != value.placements().size()) {
            throw misfit(
                    name,
                    value,
                    "it has " + value.placements().size() + " placements, the mesh given " + mesh.ndim() + " dims");
        }
        int[] coordinate = mesh.pieces(part.rank())
                .orElseThrow(() -> new Fault(
                        Code.K3006,
                        part.file().name() + ": rank " + part.rank() + " is not on the mesh " + mesh + " of " + name,
                        "the file was renamed, or is of another run",
                        "copy this rank's file again"));
        try {
            return ofShape.at(coordinate);
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }

    private void checkLocal(String name, RankPart part, DTensor value, LocalSlice slice) {
        Shape local = value.local().spec().shape();
        Region region = slice.region();
        boolean fits = region.isEmpty() && local.elementCount() == 0;
        if (!fits && local.ndim() == region.ndim()) {
            fits = true;
            for (int dim = 0; dim < local.ndim(); dim++) {
                long extent = local.dim(dim);
                fits &= extent == region.shape().dim(dim)
                        || extent == slice.padded().dim(dim);
            }
        }
        if (fits) {
            return;
        }
        String what =
                part.file().name() + ": " + name + " is " + local + ", its place " + region + " is " + region.shape();
        if (options.mesh().isPresent()) {
            throw misfit(name, value, what);
        }
        throw new Fault(
                Code.K3004,
                what + " of " + value.spec(),
                "the rank is of another run, or the mesh in its metadata is wrong",
                "copy rank " + part.rank() + " again, or give the mesh with --mesh and --mesh-dim-names");
    }

    private Fault misfit(String name, DTensor value, String what) {
        List<String> fitting = MeshFit.fitting(files.worldSize(), value);
        return new Fault(
                Code.K3007,
                "the mesh given does not fit: " + name + ": " + what,
                "the sizes of the local tensors follow from the mesh the job had",
                fitting.isEmpty()
                        ? "leave --mesh out: the metadata says " + value.mesh()
                        : "give --mesh " + String.join(" or ", fitting));
    }

    private JoinedTensor sharded(String name, Map<RankPart, ShardedTensor> values) {
        checkAgree(name, values, ShardedTensor::spec, "say it is");
        Joining joining = new Joining(
                name, "ShardedTensor", values.values().iterator().next().spec());
        values.forEach((part, value) -> {
            for (int i = 0; i < value.regions().size(); i++) {
                StridedTensor local = value.locals().get(i);
                Region region = value.regions().get(i);
                if (!local.spec().shape().equals(region.shape()) && local.spec().elementCount() > 0) {
                    throw new Fault(
                            Code.K3004,
                            part.file().name() + ": " + name + " is " + local.spec() + ", its place " + region + " is "
                                    + region.shape(),
                            "the file is damaged",
                            "copy rank " + part.rank() + " again");
                }
                joining.add(region, local, part.source(local));
            }
        });
        return finished(name, joining, Optional.empty(), List.of("Shard"), List.of());
    }

    private JoinedTensor finished(
            String name,
            Joining joining,
            Optional<DeviceMesh> mesh,
            List<String> placements,
            List<Layout.Absent> parts) {
        try {
            return joining.join(mesh, placements, parts);
        } catch (Fault fault) {
            if (fault.code() == Code.K3005 && !absent.isEmpty()) {
                holes.put(name, joining.layout(mesh, placements, parts));
                throw missing(name, fault.what(), fault);
            }
            if (fault.code() == Code.K3005 && options.mesh().isPresent()) {
                throw new Fault(
                        Code.K3007,
                        "the mesh given does not fit: " + name + ": " + fault.what(),
                        "the pieces no longer cover the tensor",
                        "leave --mesh out, or give the mesh the job had");
            }
            throw fault.at(name);
        }
    }

    private Fault missing(String name, String what, @Nullable Throwable cause) {
        List<Integer> have = new ArrayList<>(files.byRank().keySet());
        have.removeAll(absent);
        return new Fault(
                Code.K3001,
                "world size " + files.worldSize() + ", have ranks " + Ranks.text(have) + ", missing "
                        + Ranks.text(absent) + "; " + name + ": " + what,
                "those ranks were written on another host, or were not copied",
                "copy them here, open several directories at once (open DIR DIR …), or look at the rest with:"
                        + " open … --allow-missing",
                cause);
    }

    private static <T extends TorchValue> void checkAgree(
            String name, Map<RankPart, T> values, Function<T, Object> fact, String verb) {
        Majority<Object> majority = ranksWhere(values, fact);
        if (!majority.disagreeing().isEmpty()) {
            Object odd = values.entrySet().stream()
                    .filter(e -> majority.disagreeing().contains(e.getKey().rank()))
                    .map(e -> fact.apply(e.getValue()))
                    .findFirst()
                    .orElseThrow();
            throw disagree(name, majority.disagreeing(), verb + " " + odd + ", the others " + majority.value());
        }
    }

    /// What most ranks say, and the ranks that say something else.
    private record Majority<F>(F value, List<Integer> disagreeing) {}

    private static <T, F> Majority<F> ranksWhere(Map<RankPart, T> values, Function<T, F> fact) {
        F first = fact.apply(values.values().iterator().next());
        boolean agree = true;
        for (T value : values.values()) {
            agree = agree && fact.apply(value).equals(first);
        }
        if (agree) {
            return new Majority<>(first, List.of());
        }
        Map<F, LinkedHashSet<Integer>> byFact = new LinkedHashMap<>();
        values.forEach((part, value) -> byFact.computeIfAbsent(fact.apply(value), f -> new LinkedHashSet<>())
                .add(part.rank()));
        F most = byFact.keySet().iterator().next();
        for (F candidate : byFact.keySet()) {
            if (size(byFact, candidate) > size(byFact, most)) {
                most = candidate;
            }
        }
        List<Integer> others = new ArrayList<>();
        for (Map.Entry<F, LinkedHashSet<Integer>> entry : byFact.entrySet()) {
            if (!entry.getKey().equals(most)) {
                others.addAll(entry.getValue());
            }
        }
        return new Majority<>(most, others);
    }

    private static <F> int size(Map<F, LinkedHashSet<Integer>> byFact, F fact) {
        return Objects.requireNonNull(byFact.get(fact)).size();
    }

    private static Fault disagree(String name, List<Integer> ranks, String what) {
        return new Fault(
                Code.K3003,
                name + ": ranks " + Ranks.text(ranks) + " " + what,
                "files of different runs or steps are mixed",
                "copy ranks " + Ranks.text(ranks) + " of this step again; compare the files with: shards");
    }

    /// How the tensors lie that could not be joined because ranks are missing.
    Map<String, Layout> holes() {
        return holes;
    }

    /// Notes what was found over all tensors.
    void finish() {
        if (trimmedTensors > 0) {
            notes.add(Note.information("trimmed " + trimmedElements
                    + " elements of padding behind the local tensors of " + trimmedTensors + " tensors"));
        }
        plain.finish();
    }
}
