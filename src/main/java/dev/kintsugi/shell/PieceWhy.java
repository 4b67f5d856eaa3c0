package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.LocalSlice;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Why a rank has the piece it has: the arithmetic of the split, in words.
final class PieceWhy {
    private static final Pattern SHARD = Pattern.compile("Shard\\((\\d{1,4})\\)");
    private static final Pattern STRIDED = Pattern.compile("StridedShard\\((\\d{1,4}), split_factor=(\\d{1,7})\\)");

    private final Layout layout;
    private final Optional<DeviceMesh> mesh;
    private final List<Placement> placements;
    private final Function<Integer, Optional<String>> coordinate;

    private PieceWhy(
            Layout layout,
            Optional<DeviceMesh> mesh,
            List<Placement> placements,
            Function<Integer, Optional<String>> coordinate) {
        this.coordinate = coordinate;
        this.layout = layout;
        this.mesh = mesh;
        this.placements = placements;
    }

    static PieceWhy of(Layout layout, Checkpoint checkpoint) {
        List<Placement> placements = new ArrayList<>();
        for (String text : layout.placements()) {
            placement(text).ifPresent(placements::add);
        }
        boolean whole = placements.size() == layout.meshDims().size();
        return new PieceWhy(
                layout,
                whole ? mesh(layout, checkpoint) : Optional.empty(),
                placements,
                rank -> ShardSheets.coordinate(checkpoint, rank));
    }

    private static Optional<Placement> placement(String text) {
        Matcher shard = SHARD.matcher(text);
        Matcher strided = STRIDED.matcher(text);
        if (shard.matches()) {
            return Optional.of(new Placement.Shard(Integer.parseInt(shard.group(1))));
        }
        if (strided.matches()) {
            return Optional.of(
                    new Placement.StridedShard(Integer.parseInt(strided.group(1)), Integer.parseInt(strided.group(2))));
        }
        return text.equals("Replicate") ? Optional.of(new Placement.Replicate()) : Optional.empty();
    }

    /// The mesh this tensor lies on: the checkpoint's where its dims are the same, else ranks row by row.
    private static Optional<DeviceMesh> mesh(Layout layout, Checkpoint checkpoint) {
        if (layout.meshDims().isEmpty()) {
            return Optional.empty();
        }
        Optional<DeviceMesh> usual = checkpoint.mesh().filter(m -> dims(m).equals(layout.meshDims()));
        if (usual.isPresent()) {
            return usual;
        }
        List<String> names = new ArrayList<>();
        List<Long> sizes = new ArrayList<>();
        for (String dim : layout.meshDims()) {
            int equals = dim.lastIndexOf('=');
            if (equals < 0 || !dim.substring(equals + 1).matches("[1-9]\\d{0,6}")) {
                return Optional.empty();
            }
            names.add(dim.substring(0, equals));
            sizes.add(Long.parseLong(dim.substring(equals + 1)));
        }
        Shape shape = Shape.of(sizes);
        return shape.elementCount() == checkpoint.worldSize()
                ? Optional.of(DeviceMesh.dense(names, shape))
                : Optional.empty();
    }

    private static List<String> dims(DeviceMesh mesh) {
        List<String> dims = new ArrayList<>();
        for (int dim = 0; dim < mesh.ndim(); dim++) {
            dims.add(mesh.dimNames().get(dim) + "=" + mesh.shape().dim(dim));
        }
        return dims;
    }

    /// `Shard(0) of 56 over fsdp=4: step 14, rank 1 has rows 14..27`; empty if nothing can be said.
    String of(Piece piece) {
        String padding = piece.trimmedElements() > 0
                ? "; " + Counted.of(piece.trimmedElements(), "element") + " of padding behind it, trimmed"
                : "";
        return arithmetic(piece).orElseGet(() -> plainly(piece)) + padding;
    }

    private Optional<String> arithmetic(Piece piece) {
        if (piece.cut().isPresent()) {
            return Optional.empty();
        }
        Optional<int[]> coordinate = mesh.flatMap(m -> m.coordinate(piece.rank()));
        if (mesh.isEmpty() || coordinate.isEmpty()) {
            return Optional.empty();
        }
        Shape global = layout.spec().shape();
        try {
            Region region = LocalSlice.of(global, mesh.get().shape(), coordinate.get(), placements)
                    .region();
            boolean same = region.equals(piece.global())
                    || region.isEmpty() && piece.global().isEmpty();
            return same ? Optional.of(sentence(piece, coordinate.get())) : Optional.empty();
        } catch (Fault fault) {
            return Optional.empty();
        }
    }

    private String sentence(Piece piece, int[] coordinate) {
        DeviceMesh grid = mesh.orElseThrow();
        List<String> parts = new ArrayList<>();
        List<LocalSlice.Split> splits = LocalSlice.splits(layout.spec().shape(), grid.shape(), coordinate, placements);
        long[] base = new long[layout.spec().shape().ndim()];
        boolean nested = false;
        for (LocalSlice.Split split : splits) {
            parts.add(step(split, grid, coordinate, base, piece.rank(), nested));
            base[split.dim()] += split.from();
            nested = true;
        }
        for (int dim = 0; dim < placements.size(); dim++) {
            if (placements.get(dim) instanceof Placement.Replicate
                    && grid.shape().dim(dim) > 1) {
                parts.add("every " + grid.dimNames().get(dim) + " has a copy");
            }
        }
        return parts.isEmpty() ? "not split: one rank has it all" : String.join("; ", parts);
    }

    private String step(
            LocalSlice.Split split, DeviceMesh grid, int[] coordinate, long[] base, int rank, boolean nested) {
        String name = grid.dimNames().get(split.meshDim());
        String axis = axis(split.dim());
        String over = name + "=" + grid.shape().dim(split.meshDim());
        String who = grid.ndim() == 1
                ? "rank " + rank
                : "rank " + rank + " (" + name + "=" + coordinate[split.meshDim()] + ")";
        String text = (nested ? "then " : "") + placements.get(split.meshDim()) + " of " + split.extent() + " over "
                + over + ": step " + split.step() + ", " + who + " has ";
        if (split.extent() == 0) {
            return text.replaceFirst(": step 0, ", ": ") + "nothing: there is nothing to split";
        }
        if (split.from() == split.to()) {
            long holders = Math.ceilDiv(split.extent(), split.step());
            return text + "nothing: " + (holders == 1 ? "one step takes" : holders + " steps take") + " all";
        }
        long from = base[split.dim()] + split.from();
        long last = base[split.dim()] + split.to() - 1;
        String shorter = split.to() - split.from() < split.step()
                ? ", short of the step by " + (split.step() - split.to() + split.from())
                : "";
        return text + axis + " " + from + ".." + last + shorter;
    }

    private String axis(int dim) {
        if (layout.spec().shape().ndim() == 1) {
            return "elements";
        }
        if (layout.spec().shape().ndim() > 2) {
            return "dim " + dim;
        }
        return dim == 0 ? "rows" : "columns";
    }

    private String plainly(Piece piece) {
        boolean one = layout.pieces().size() == 1;
        if (layout.placements().stream().anyMatch(p -> p.startsWith("Flat"))) {
            return flat(piece);
        }
        if (piece.cut().isPresent()) {
            return cut(piece, piece.cut().get());
        }
        String place = ExplainSheets.region(piece.global());
        return switch (layout.kind()) {
            case "plain" -> {
                if (one) {
                    yield "one file holds it whole";
                }
                yield layout.placements().equals(List.of("Replicate"))
                        ? "no placement metadata; all ranks hold the same, so one copy is taken"
                        : "no placement metadata; the ranks differ, so they follow each other along dim 0";
            }
            case "ShardedTensor" -> "rank " + piece.rank() + "'s own metadata puts it at " + place;
            case "chunks" -> ".metadata puts this chunk at " + place;
            case "safetensors chunks" -> "the header of its file puts it at " + place;
            case "whole" -> "one file holds it whole";
            default -> one ? "one piece: " + layout.kind() : layout.kind() + ": it has " + place;
        };
    }

    /// What Megatron cut it out of, and where its rank stands.
    private String cut(Piece piece, Piece.Cut cut) {
        String where = coordinate.apply(piece.rank()).map(c -> "at " + c + ", ").orElse("");
        boolean whole = piece.global().shape().equals(layout.spec().shape());
        String place = whole ? "all of it" : ExplainSheets.region(piece.global());
        String from = cut.storedName();
        return where
                + switch (layout.kind()) {
                    case "Megatron gate|up" -> "cut out of " + from + ", which has the rows of gate and up: " + place;
                    case "Megatron query groups" ->
                        cut.part()
                                        .map(p -> Piece.Part.text(List.of(p)) + " in ")
                                        .orElse("") + from + ", which has query, key and value rows group by group: "
                                + place;
                    default -> whole ? from + ", not split" : from + ": " + place;
                };
    }

    /// ZeRO cuts a tensor as if it had one dim, so that a rank's run begins and ends within a row.
    private String flat(Piece piece) {
        Shape shape = layout.spec().shape();
        long first = Long.MAX_VALUE;
        long last = -1;
        List<Region> regions = new ArrayList<>();
        layout.pieces().stream()
                .filter(p -> p.rank() == piece.rank())
                .map(Piece::global)
                .forEach(regions::add);
        layout.absent().stream()
                .filter(a -> a.rank() == piece.rank())
                .map(Layout.Absent::region)
                .forEach(regions::add);
        regions.removeIf(Region::isEmpty);
        for (Region region : regions) {
            first = Math.min(first, flatIndex(shape, region, false));
            last = Math.max(last, flatIndex(shape, region, true));
        }
        String over = String.join(", ", layout.meshDims());
        String text = "laid out flat, " + Counted.of(shape.elementCount(), "element")
                + (over.isEmpty() ? "" : " over " + over) + ": rank " + piece.rank() + " has ";
        if (last < 0) {
            return text + "none";
        }
        return text + "elements " + first + ".." + last
                + (shape.ndim() == 1 ? "" : "; this is " + ExplainSheets.region(piece.global()) + " of them");
    }

    /// Where the first or last element of `region` stands when `shape` is laid out flat.
    private static long flatIndex(Shape shape, Region region, boolean last) {
        long index = 0;
        for (int dim = 0; dim < shape.ndim(); dim++) {
            long at = last ? region.end(dim) - 1 : region.offset().dim(dim);
            index = index * shape.dim(dim) + at;
        }
        return index;
    }
}
