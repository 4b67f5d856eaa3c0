package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.NaturalOrder;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;

/// Reports about files, meshes and placements.
final class ShardSheets {
    private static final int MOST_HOLES = 8;
    private static final int MOST_CUTS = 16;

    private ShardSheets() {}

    static Sheet shards(Model model, Checkpoint checkpoint) {
        Sheet sheet = Sheet.of("shards")
                .fact("model", model.name())
                .fact("world_size", checkpoint.worldSize())
                .rows("files")
                .column("file", "file")
                .number("rank", "rank")
                .ifAny()
                .column("coordinate", "coordinate")
                .ifRoom()
                .number("tensors", "tensors")
                .ifRoom()
                .bytes("bytes", "bytes")
                .time("modified_millis", "modified")
                .column("status", "status");
        FileNames names =
                FileNames.of(checkpoint.files().stream().map(ShardFile::path).toList());
        for (ShardFile file : checkpoint.files()) {
            Object rank = file.rank().isPresent() ? (Object) (long) file.rank().getAsInt() : "";
            String coordinate = coordinate(checkpoint, file.rank().orElse(-1)).orElse("");
            sheet.row(
                    names.of(file.path()),
                    rank,
                    coordinate,
                    (long) file.tensorCount(),
                    file.byteCount(),
                    file.modifiedMillis(),
                    file.status());
        }
        return sheet;
    }

    /// Where `rank` stands: `pp=0 dp=0 tp=1`.
    static Optional<String> coordinate(Checkpoint checkpoint, int rank) {
        return checkpoint.mesh().flatMap(m -> m.coordinate(rank).map(m::text));
    }

    static Sheet mesh(Model model, Checkpoint checkpoint) {
        Sheet sheet = Sheet.of("mesh").fact("model", model.name());
        if (checkpoint.mesh().isEmpty()) {
            return sheet.fact("dims", List.of())
                    .fact("ranks", List.of())
                    .fact("missing_ranks", ModelText.absentRanks(checkpoint))
                    .line(model.name() + " has no mesh: " + ModelText.source(checkpoint));
        }
        DeviceMesh mesh = checkpoint.mesh().get();
        sheet.fact("dims", mesh.dimNames());
        sheet.fact("sizes", Arrays.stream(mesh.shape().toArray()).boxed().toList());
        sheet.fact(
                "ranks",
                Arrays.stream(mesh.ranks())
                        .mapToObj(r -> r == DeviceMesh.NO_RANK ? Optional.empty() : Optional.of(r))
                        .toList());
        List<String> holes = mesh.holes().stream().map(mesh::text).toList();
        sheet.fact("no_rank", holes);
        List<Integer> absent = ModelText.absentRanks(checkpoint);
        sheet.fact("missing_ranks", absent);
        sheet.line(model.name() + "  " + mesh + "  (" + mesh.size() + " ranks)");
        MeshDrawing.lines(mesh, Set.copyOf(absent)).forEach(sheet::line);
        if (!absent.isEmpty()) {
            sheet.line("  ? the file of rank " + Ranks.text(absent) + " is missing or damaged");
        }
        if (!holes.isEmpty()) {
            sheet.line(MeshDrawing.NO_RANK + " no rank at "
                    + String.join("; ", holes.subList(0, Math.min(MOST_HOLES, holes.size())))
                    + (holes.size() > MOST_HOLES ? "; and " + (holes.size() - MOST_HOLES) + " more" : "")
                    + ": nothing is missing, other ranks hold all of it");
        }
        Set<Integer> writers = new TreeSet<>();
        checkpoint.files().forEach(f -> f.rank().ifPresent(writers::add));
        List<Integer> silent = Arrays.stream(mesh.ranks())
                .filter(r -> r != DeviceMesh.NO_RANK && !writers.contains(r))
                .boxed()
                .toList();
        sheet.fact("without_file", silent);
        if (!silent.isEmpty()) {
            sheet.line((silent.size() == 1 ? "rank " : "ranks ") + Ranks.text(silent)
                    + " wrote no file of the model: other ranks wrote what they hold");
        }
        return sheet;
    }

    static Sheet placements(Choice choice, Checkpoint checkpoint, boolean collapse) {
        SequencedMap<String, Layout> layouts = choice.placements(checkpoint);
        Sheet sheet = Sheet.of("placements")
                .fact("model", choice.model().name())
                .rows("tensors")
                .column("tensor", "tensor")
                .column("dtype", "dtype")
                .column("shape", "global shape")
                .column("placements", "placements")
                .column("locals", "local shapes")
                .count("replicas", "replicas")
                .count("trimmed_elements", "trimmed")
                .count("missing_elements", "missing")
                .column("own_name", "the framework's name")
                .dataOnly()
                .column("parts", "parts")
                .dataOnly()
                .column("coordinates", "coordinates")
                .dataOnly()
                .column("files", "files")
                .dataOnly();
        FileNames files =
                FileNames.of(checkpoint.files().stream().map(ShardFile::path).toList());
        List<String> names = new ArrayList<>(layouts.keySet());
        Set<String> holes = Set.copyOf(checkpoint.holes());
        if (collapse) {
            Collapsed.of(names, n -> facts(layouts, n))
                    .forEach(group -> addRow(sheet, layouts, holes, group, checkpoint, files));
        } else {
            names.forEach(n -> addRow(sheet, layouts, holes, new Collapsed.Group(n, List.of(n)), checkpoint, files));
        }
        cuts(sheet, layouts, checkpoint, files);
        if (checkpoint.mesh().isPresent()) {
            sheet.line("mesh " + checkpoint.mesh().get());
        }
        return sheet;
    }

    private static void addRow(
            Sheet sheet,
            SequencedMap<String, Layout> layouts,
            Set<String> holes,
            Collapsed.Group group,
            Checkpoint checkpoint,
            FileNames files) {
        Layout layout = layouts.get(group.names().getFirst());
        if (layout == null) {
            return;
        }
        sheet.row(
                group.label(),
                layout.spec().dtype().name(),
                layout.spec().shape(),
                placement(layout),
                locals(layout),
                replicas(layout),
                trimmed(layout),
                holes.contains(group.names().getFirst()) ? layout.missingElements() : 0L,
                layout.ownName(),
                parts(layout.pieces()),
                distinct(layout, p -> coordinate(checkpoint, p.rank())),
                distinct(layout, p -> Optional.of(files.of(p.file()))));
    }

    /// Of tensors that the framework names and cuts its own way: what it calls them, and who holds which part. Of the
    /// ranks that hold some: where they stand, and in which file.
    private static void cuts(
            Sheet sheet, SequencedMap<String, Layout> layouts, Checkpoint checkpoint, FileNames files) {
        Map<Integer, Set<String>> ranks = new TreeMap<>();
        int lines = 0;
        for (Map.Entry<String, Layout> entry : layouts.entrySet()) {
            List<Piece> pieces = entry.getValue().pieces().stream()
                    .filter(p -> p.cut().isPresent())
                    .toList();
            pieces.forEach(
                    p -> ranks.computeIfAbsent(p.rank(), r -> new TreeSet<>()).add(files.of(p.file())));
            if (!pieces.isEmpty() && lines++ < MOST_CUTS) {
                sheet.below(
                        entry.getKey() + " is in Megatron " + entry.getValue().ownName() + ": " + holders(pieces));
            }
        }
        if (lines > MOST_CUTS) {
            sheet.below("… and " + (lines - MOST_CUTS) + " more tensors; --format json has all");
        }
        ranks.entrySet().stream()
                .limit(MOST_CUTS)
                .forEach(e -> sheet.below("rank " + e.getKey()
                        + coordinate(checkpoint, e.getKey())
                                .map(c -> " at " + c)
                                .orElse("") + ": "
                        + String.join(", ", e.getValue())));
        if (ranks.size() > MOST_CUTS) {
            sheet.below("… and " + (ranks.size() - MOST_CUTS) + " more ranks; see: shards");
        }
    }

    /// `query groups 0-1 of 4 on rank 0, query groups 2-3 of 4 on rank 1`, or the ranks alone.
    private static String holders(List<Piece> pieces) {
        Map<String, Set<Integer>> ranks = new LinkedHashMap<>();
        pieces.stream().map(Piece::rank).distinct().forEach(rank -> {
            String parts = parts(pieces.stream().filter(p -> p.rank() == rank).toList());
            ranks.computeIfAbsent(parts, p -> new TreeSet<>()).add(rank);
        });
        List<String> texts = new ArrayList<>();
        ranks.forEach((parts, of) -> texts.add(
                (parts.isEmpty() ? "" : parts + " ") + "on rank" + (of.size() == 1 ? " " : "s ") + Ranks.text(of)));
        return String.join(", ", texts);
    }

    private static String parts(List<Piece> pieces) {
        return Piece.Part.text(pieces.stream()
                .flatMap(p -> p.cut().flatMap(Piece.Cut::part).stream())
                .toList());
    }

    private static List<String> distinct(Layout layout, Function<Piece, Optional<String>> fact) {
        return layout.pieces().stream()
                .flatMap(p -> fact.apply(p).stream())
                .distinct()
                .toList();
    }

    /// What tensors in one row have in common.
    private static String facts(SequencedMap<String, Layout> layouts, String name) {
        Layout layout = layouts.get(name);
        return layout == null
                ? ""
                : String.join(
                        " ",
                        layout.spec().toString(),
                        placement(layout),
                        locals(layout),
                        String.valueOf(replicas(layout)),
                        String.valueOf(trimmed(layout)));
    }

    private static long trimmed(Layout layout) {
        return layout.pieces().stream().mapToLong(Piece::trimmedElements).sum();
    }

    /// `fsdp: Shard(0), tp: Replicate`.
    static String placement(Layout layout) {
        if (layout.meshDims().size() != layout.placements().size()) {
            return layout.placements().isEmpty() ? unsplit(layout) : String.join(", ", layout.placements());
        }
        List<String> parts = new ArrayList<>();
        for (int dim = 0; dim < layout.meshDims().size(); dim++) {
            parts.add(layout.meshDims().get(dim).replaceFirst("=.*", "") + ": "
                    + layout.placements().get(dim));
        }
        return parts.isEmpty() ? unsplit(layout) : String.join(", ", parts);
    }

    /// What is said of a tensor that has no placements.
    private static String unsplit(Layout layout) {
        boolean whole = layout.pieces().stream()
                .allMatch(p -> p.global().shape().equals(layout.spec().shape()));
        return !whole ? layout.kind() : layout.pieces().size() > 1 ? "Replicate" : "whole";
    }

    /// The shapes that ranks hold, with how many hold each.
    private static String locals(Layout layout) {
        Map<Shape, Integer> counts = new LinkedHashMap<>();
        layout.pieces().forEach(p -> counts.merge(p.global().shape(), 1, Integer::sum));
        List<String> parts = new ArrayList<>();
        counts.forEach((shape, count) -> parts.add(count == 1 ? shape.toString() : shape + " ×" + count));
        return String.join(", ", parts);
    }

    private static long replicas(Layout layout) {
        return layout.pieces().stream().filter(Piece::replica).count();
    }

    static Sheet tensors(Choice choice, boolean collapse) {
        SequencedMap<String, Tensor> chosen = choice.tensors();
        Model model = choice.model();
        HubModel hub = model.hub();
        StateDict dict = StateDict.of(chosen);
        Sheet sheet = Sheet.of("tensors")
                .fact("model", model.name())
                .fact("selector", choice.selector().toString())
                .fact("count", (long) dict.size())
                .fact("parameters", dict.elementCount())
                .fact("bytes", dict.byteCount())
                .rows("tensors")
                .column("tensor", "tensor")
                .column("dtype", "dtype")
                .column("shape", "shape")
                .bytes("bytes", "bytes")
                .column("stored", "in the files as")
                .ifAny();
        List<String> names = new ArrayList<>(chosen.keySet());
        names.sort(NaturalOrder.INSTANCE);
        if (collapse) {
            Collapsed.of(names, n -> spec(chosen, n)).forEach(group -> addRow(sheet, chosen, hub, group));
        } else {
            names.forEach(n -> addRow(sheet, chosen, hub, new Collapsed.Group(n, List.of(n))));
        }
        return sheet.below(dict.size() + " of " + model.tensors().size() + " tensors, "
                + Units.count(dict.elementCount()) + " parameters, " + Units.bytes(dict.byteCount()));
    }

    private static String spec(Map<String, Tensor> tensors, String name) {
        Tensor tensor = tensors.get(name);
        return tensor == null ? "" : tensor.spec().toString();
    }

    private static void addRow(Sheet sheet, Map<String, Tensor> tensors, HubModel hub, Collapsed.Group group) {
        String first = group.names().getFirst();
        Tensor tensor = tensors.get(first);
        if (tensor == null) {
            return;
        }
        long bytes = tensor.spec().byteCount() * group.names().size();
        String stored = Optional.ofNullable(hub.origins().get(first))
                .map(o -> o.stored().getFirst())
                .filter(s -> !s.equals(first))
                .map(s -> group.names().size() == 1 ? s : s + " …")
                .orElse("");
        sheet.row(group.label(), tensor.spec().dtype().name(), tensor.spec().shape(), bytes, stored);
    }
}
