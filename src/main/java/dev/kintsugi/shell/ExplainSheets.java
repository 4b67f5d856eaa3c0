package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.Origin;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.tensor.Region;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Reports on where the pieces of one tensor lie, and the drawing of it.
final class ExplainSheets {
    private static final int MOST_LINES = 64;

    private ExplainSheets() {}

    static Sheet pieces(NamedTensor named, Layout layout, Checkpoint checkpoint, Console console) {
        String stored = named.stored();
        HubModel hub = named.model().hub();
        Optional<Origin> origin = Optional.ofNullable(hub.origins().get(named.name()));
        Sheet sheet = Sheet.of("explain")
                .fact("model", named.model().name())
                .fact("tensor", named.name())
                .fact("stored", stored)
                .fact("own_name", layout.ownName())
                .fact("dtype", layout.spec().dtype().name())
                .fact("shape", layout.spec().shape())
                .fact("steps", origin.map(Origin::steps).orElse(List.of()))
                .rows("pieces")
                .column("rank", "rank")
                .column("coordinate", "coordinate")
                .dataOnly()
                .column("file", "file")
                .column("record", "record")
                .ifRoom()
                .number("byte_offset", "at byte")
                .number("bytes", "bytes")
                .column("region", "holds")
                .column("note", "note")
                .dataOnly()
                .column("stored_name", "in the file as")
                .dataOnly()
                .column("part", "part")
                .dataOnly()
                .column("why", "why")
                .dataOnly()
                .column("status", "status")
                .ifAny();
        sheet.line(named.name() + "  " + layout.spec() + ", " + layout.kind());
        if (!layout.ownName().equals(stored)) {
            sheet.line("  in Megatron  " + layout.ownName());
        }
        if (!stored.equals(named.name())) {
            sheet.line("  in the files as  " + stored);
        }
        hub.ties().stream()
                .filter(t -> t.droppedName().equals(named.name()))
                .forEach(t -> sheet.line("  tied to " + t.keptName() + ": left out of the output"));
        origin.ifPresent(o -> o.steps().forEach(s -> sheet.line("  " + s)));
        for (int dim = 0;
                dim < Math.min(layout.meshDims().size(), layout.placements().size());
                dim++) {
            sheet.line("  mesh dim " + layout.meshDims().get(dim) + "  "
                    + layout.placements().get(dim));
        }
        List<AbsentPiece> absent = AbsentPiece.of(layout, checkpoint);
        boolean hole = named.tensor() instanceof HoleTensor;
        if (layout.pieces().size() > 1 || hole) {
            draw(sheet, TensorDrawing.of(layout, 0, TensorDrawing.FEW_ROWS), console);
        }
        int width = layout.spec().dtype().byteWidth();
        PieceWhy why = PieceWhy.of(layout, checkpoint);
        FileNames names =
                FileNames.of(checkpoint.files().stream().map(ShardFile::path).toList());
        layout.pieces().forEach(p -> row(sheet, p, checkpoint, names, width, why.of(p)));
        absent.forEach(a -> sheet.row(
                Optional.of(a.piece().rank()),
                ShardSheets.coordinate(checkpoint, a.piece().rank()).orElse(""),
                names.of(a.piece().file()),
                "",
                Optional.empty(),
                a.piece().global().elementCount() * width,
                region(a.piece().global()),
                "",
                Optional.empty(),
                Optional.empty(),
                why.of(a.piece()),
                a.status()));
        whys(sheet, layout, names, why);
        absent.forEach(
                a -> sheet.below("why " + a.who() + ": " + why.of(a.piece()) + (hole ? "" : "; another has the same")));
        if (hole) {
            sheet.below(hole(named, layout));
        }
        return sheet;
    }

    private static String hole(NamedTensor named, Layout layout) {
        return "? is a hole: " + Counted.of(layout.missingElements(), "element") + " of "
                + Units.exact(layout.spec().shape().elementCount()) + " are in no file that is here; copy what is"
                + " missing, and open " + named.model().name() + " again";
    }

    private static void whys(Sheet sheet, Layout layout, FileNames names, PieceWhy why) {
        int shown = Math.min(MOST_LINES, layout.pieces().size());
        for (Piece piece : layout.pieces().subList(0, shown)) {
            String who = piece.rank() < 0 ? names.of(piece.file()) : "rank " + piece.rank();
            sheet.below("why " + who + ": " + why.of(piece) + (piece.replica() ? "; a replica, not read" : ""));
        }
        if (shown < layout.pieces().size()) {
            sheet.below("… and " + (layout.pieces().size() - shown) + " more pieces; --format json has all");
        }
    }

    private static void row(Sheet sheet, Piece piece, Checkpoint checkpoint, FileNames names, int width, String why) {
        List<String> notes = new ArrayList<>();
        if (piece.replica()) {
            notes.add("replica");
        }
        if (piece.trimmedElements() > 0) {
            notes.add(Units.exact(piece.trimmedElements()) + " elements of padding trimmed");
        }
        sheet.row(
                piece.rank() < 0 ? Optional.empty() : Optional.of(piece.rank()),
                ShardSheets.coordinate(checkpoint, piece.rank()).orElse(""),
                names.of(piece.file()),
                piece.record(),
                piece.byteOffset(),
                piece.global().elementCount() * width,
                region(piece.global()),
                String.join(", ", notes),
                piece.cut().map(Piece.Cut::storedName),
                piece.cut().flatMap(Piece.Cut::part).map(p -> Piece.Part.text(List.of(p))),
                why,
                "");
    }

    /// `rows 0..71, columns 0..31`, or ranges for other numbers of dims.
    static String region(Region region) {
        if (region.isEmpty()) {
            return "nothing";
        }
        if (region.ndim() == 0) {
            return "the value";
        }
        List<String> parts = new ArrayList<>();
        for (int dim = 0; dim < region.ndim(); dim++) {
            String range = region.offset().dim(dim) + ".." + (region.end(dim) - 1);
            String label = region.ndim() == 1
                    ? "elements "
                    : region.ndim() > 2 ? "dim " + dim + " " : dim == 0 ? "rows " : "columns ";
            parts.add(label + range);
        }
        return String.join(", ", parts);
    }

    private static void draw(Sheet sheet, TensorDrawing drawing, Console console) {
        if (!drawing.fixed().isEmpty()) {
            sheet.line("  at " + String.join(", ", drawing.fixed()));
        }
        drawing.lines(console).forEach(sheet::painted);
    }

    /// The drawing alone, with what each letter stands for.
    static Sheet drawing(NamedTensor named, Layout layout, Checkpoint checkpoint, long fixed, Console console) {
        TensorDrawing drawing = TensorDrawing.of(layout, fixed, TensorDrawing.MOST_ROWS);
        PieceWhy why = PieceWhy.of(layout, checkpoint);
        Sheet sheet = Sheet.of("drawing")
                .fact("model", named.model().name())
                .fact("tensor", named.name())
                .fact("dtype", layout.spec().dtype().name())
                .fact("shape", ShowVerb.dims(layout.spec().shape().toArray()))
                .fact("mesh_dims", layout.meshDims())
                .fact("placements", layout.placements())
                .fact("fixed", drawing.fixed())
                .fact("cells", drawing.letters())
                .rows("pieces")
                .column("letter", "")
                .column("ranks", "ranks")
                .dataOnly()
                .column("who", "who")
                .column("holds", "holds")
                .number("trimmed_elements", "padding")
                .column("why", "why")
                .dataOnly();
        sheet.line(named.name() + "  " + layout.spec() + "  "
                + (layout.meshDims().isEmpty() ? layout.kind() : ShardSheets.placement(layout)));
        draw(sheet, drawing, console);
        List<TensorDrawing.Key> keys = drawing.keys();
        for (TensorDrawing.Key key : keys) {
            sheet.row(
                    key.letter(),
                    key.ranks(),
                    key.who(),
                    region(key.piece().global()),
                    key.piece().trimmedElements(),
                    why.of(key.piece()));
        }
        List<AbsentPiece> absent = AbsentPiece.of(layout, checkpoint);
        for (AbsentPiece missing : absent) {
            sheet.row(
                    drawing.letterOf(missing),
                    List.of(missing.piece().rank()),
                    missing.who(),
                    region(missing.piece().global()),
                    0L,
                    why.of(missing.piece()));
        }
        if (keys.stream().anyMatch(k -> k.piece().trimmedElements() > 0)) {
            sheet.below("/ is padding that the rank holds beyond the tensor; it is trimmed");
        }
        keys.stream().limit(MOST_LINES).forEach(k -> sheet.below(k.letter() + ": " + why.of(k.piece())));
        if (named.tensor() instanceof HoleTensor) {
            sheet.below(hole(named, layout));
        }
        return sheet;
    }
}
