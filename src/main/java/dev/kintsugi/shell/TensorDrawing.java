package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/// A tensor as a rectangle tiled by who holds what, a letter and a colour for each holder.
///
/// One dim is a ribbon. Of more than two dims, those that are split are drawn, and the others fixed at one
/// index. Every cell stands for the element at its middle; padding that ranks hold beyond the tensor is drawn
/// behind it as `/`, an element that nobody holds, for the rank that should is missing, as `?`.
final class TensorDrawing {
    static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private static final int[] COLORS = {25, 130, 28, 90, 124, 30, 94, 54, 22, 166, 60, 100};
    /// Lines of a drawing of many rows, unless more are needed to show every piece.
    static final int MOST_ROWS = 16;

    /// The same of a drawing among other things.
    static final int FEW_ROWS = 8;

    private static final int MOST_COLUMNS = 56;

    private final Layout layout;
    private final Shape shape;
    private final int down;
    private final int across;
    private final long[] at;

    /// The pieces that hold one box, by the box: ranks are replicas of each other.
    private final Map<Region, List<Piece>> holders = new LinkedHashMap<>();

    private final List<Region> boxes;

    /// Who holds a box, by the box, numbered in the order of the boxes: pieces of one rank have one letter.
    private final Map<Region, Integer> holderNumbers = new HashMap<>();

    private final int mostRows;

    private TensorDrawing(Layout layout, long fixed, int mostRows) {
        this.mostRows = mostRows;
        this.layout = layout;
        this.shape = layout.spec().shape();
        List<Integer> drawn = drawnDims(layout);
        this.across = drawn.isEmpty() ? -1 : drawn.getLast();
        this.down = drawn.size() < 2 ? -1 : drawn.getFirst();
        this.at = new long[shape.ndim()];
        for (int dim = 0; dim < at.length; dim++) {
            at[dim] = Math.min(fixed, Math.max(0, shape.dim(dim) - 1));
        }
        layout.pieces()
                .forEach(p ->
                        holders.computeIfAbsent(key(p), r -> new ArrayList<>()).add(p));
        this.boxes = List.copyOf(holders.keySet());
        Map<String, Integer> numbers = new HashMap<>();
        boxes.stream().filter(b -> !b.isEmpty()).forEach(b -> {
            String who = keyOf(b).who();
            holderNumbers.put(b, numbers.computeIfAbsent(who, w -> numbers.size()));
        });
    }

    /// The drawing of `layout`; dims that are not drawn are fixed at index `fixed`, or their last.
    static TensorDrawing of(Layout layout, long fixed, int mostRows) {
        return new TensorDrawing(layout, fixed, mostRows);
    }

    /// Empty pieces of different ranks hold no box together.
    private static Region key(Piece piece) {
        if (!piece.global().isEmpty()) {
            return piece.global();
        }
        long[] offset = piece.global().offset().toArray();
        return new Region(Shape.of(offset), piece.global().shape());
    }

    /// Where pieces lie, of ranks that are there or are not.
    private static Stream<Region> regions(Layout layout) {
        return Stream.concat(
                layout.pieces().stream().map(Piece::global),
                layout.absent().stream().map(Layout.Absent::region));
    }

    private static List<Integer> drawnDims(Layout layout) {
        Shape shape = layout.spec().shape();
        TreeSet<Integer> drawn = new TreeSet<>();
        for (int dim = 0; dim < shape.ndim() && drawn.size() < 2; dim++) {
            int d = dim;
            if (regions(layout).anyMatch(r -> r.shape().dim(d) != shape.dim(d))) {
                drawn.add(dim);
            }
        }
        for (int dim = shape.ndim() - 1; dim >= 0 && drawn.size() < 2; dim--) {
            drawn.add(dim);
        }
        return List.copyOf(drawn);
    }

    /// `dim 0 = 0`, for each dim that is not drawn.
    List<String> fixed() {
        List<String> fixed = new ArrayList<>();
        for (int dim = 0; dim < shape.ndim(); dim++) {
            if (dim != down && dim != across) {
                fixed.add("dim " + dim + " = " + at[dim]);
            }
        }
        return fixed;
    }

    /// Lines of letters, without margin, colour or padding: for data.
    List<String> letters() {
        List<String> lines = new ArrayList<>();
        for (long row : positions(down, mostRows)) {
            StringBuilder line = new StringBuilder();
            for (long column : positions(across, MOST_COLUMNS)) {
                line.append(letter(row, column));
            }
            lines.add(line.toString());
        }
        return lines;
    }

    /// The drawing with margins, and with colour where the screen has it.
    List<String> lines(Console console) {
        List<String> lines = new ArrayList<>();
        List<Long> rows = positions(down, mostRows);
        List<Long> columns = positions(across, MOST_COLUMNS);
        int label =
                down < 0 ? 0 : Long.toString(Math.max(0, shape.dim(down) - 1)).length();
        String margin = " ".repeat(label + 3);
        if (across >= 0) {
            lines.add(margin + axis(across, "→") + (down < 0 ? "" : ", " + axis(down, "↓")));
        }
        String before = "";
        for (long row : rows) {
            StringBuilder letters = new StringBuilder();
            columns.forEach(column -> letters.append(letter(row, column)));
            boolean first = !letters.toString().equals(before) && down >= 0;
            before = letters.toString();
            String start = first ? String.format(Locale.ROOT, "%" + label + "d", start(row)) : " ".repeat(label);
            lines.add("  " + start + " " + paint(before, console) + paddingAcross(row, console));
        }
        paddingDown(columns.size(), console).forEach(l -> lines.add(margin + l));
        return lines;
    }

    private String axis(int dim, String arrow) {
        if (shape.dim(dim) == 0) {
            return "no "
                    + (shape.ndim() == 1
                            ? "elements"
                            : shape.ndim() > 2 ? "dim " + dim : dim == 0 ? "rows" : "columns");
        }
        String name = shape.ndim() == 1 ? "elements" : shape.ndim() > 2 ? "dim " + dim : dim == 0 ? "rows" : "columns";
        return name + " 0.." + (shape.dim(dim) - 1) + " " + arrow;
    }

    /// The elements along `dim` that cells stand for; all of them where there is room.
    private List<Long> positions(int dim, int most) {
        if (dim < 0) {
            return List.of(0L);
        }
        long extent = shape.dim(dim);
        TreeSet<Long> edges = new TreeSet<>();
        regions(layout).forEach(b -> edges.add(b.offset().dim(dim)));
        int cells = (int) Math.min(extent, Math.max(most, Math.min(96, edges.size())));
        List<Long> positions = new ArrayList<>();
        for (int cell = 0; cell < cells; cell++) {
            positions.add((2L * cell + 1) * extent / (2L * cells));
        }
        return positions;
    }

    /// Where the box that holds `row` begins.
    private long start(long row) {
        return regions(layout)
                .filter(b -> !b.isEmpty() && b.offset().dim(down) <= row && row < b.end(down))
                .mapToLong(b -> b.offset().dim(down))
                .max()
                .orElse(row);
    }

    private char letter(long row, long column) {
        for (Region box : boxes) {
            if (holds(box, row, column)) {
                return letter(box);
            }
        }
        return '?';
    }

    /// What stands for a rank that is not there: the letter of another that holds the same.
    String letterOf(AbsentPiece absent) {
        Region box = absent.piece().global();
        return holders.containsKey(box) || box.isEmpty() ? String.valueOf(letter(box)) : "?";
    }

    private char letter(Region box) {
        Integer number = holderNumbers.get(box);
        return number == null ? '-' : LETTERS.charAt(number % LETTERS.length());
    }

    private boolean holds(Region box, long row, long column) {
        for (int dim = 0; dim < shape.ndim(); dim++) {
            long index = dim == down ? row : dim == across ? column : at[dim];
            if (index < box.offset().dim(dim) || index >= box.end(dim)) {
                return false;
            }
        }
        return true;
    }

    /// `letters` with a colour for each run of equal ones.
    static String paint(String letters, Console console) {
        StringBuilder text = new StringBuilder();
        int from = 0;
        for (int i = 1; i <= letters.length(); i++) {
            if (i == letters.length() || letters.charAt(i) != letters.charAt(from)) {
                int box = LETTERS.indexOf(letters.charAt(from));
                String run = letters.substring(from, i);
                text.append(box < 0 ? run : console.color("97;48;5;" + COLORS[box % COLORS.length], run));
                from = i;
            }
        }
        return text.toString();
    }

    private String paddingAcross(long row, Console console) {
        StringBuilder text = new StringBuilder();
        holders.forEach((box, pieces) -> {
            Optional<Long> padding = padding(pieces.getFirst(), across);
            boolean level = down < 0 || box.offset().dim(down) <= row && row < box.end(down);
            if (padding.isPresent() && level) {
                text.append(console.color("2", "/".repeat((int) Math.min(8, padding.get()))));
            }
        });
        return text.toString();
    }

    private List<String> paddingDown(int columns, Console console) {
        List<String> lines = new ArrayList<>();
        if (down < 0) {
            return lines;
        }
        holders.forEach((box, pieces) -> padding(pieces.getFirst(), down).ifPresent(rows -> {
            for (int row = 0; row < Math.min(3, rows); row++) {
                lines.add(console.color("2", "/".repeat(columns)));
            }
        }));
        return lines;
    }

    /// How far a piece's padding reaches along `dim`, if it does along that dim.
    private Optional<Long> padding(Piece piece, int dim) {
        if (piece.trimmedElements() == 0 || dim < 0 || splitDim() != dim) {
            return Optional.empty();
        }
        long slice = 1;
        for (int d = 0; d < shape.ndim(); d++) {
            slice *= d == dim ? 1 : piece.global().shape().dim(d);
        }
        return slice > 0 && piece.trimmedElements() % slice == 0
                ? Optional.of(piece.trimmedElements() / slice)
                : Optional.empty();
    }

    /// The only dim that is split, or -1.
    private int splitDim() {
        int found = -1;
        for (int dim = 0; dim < shape.ndim(); dim++) {
            int d = dim;
            if (regions(layout).anyMatch(r -> r.shape().dim(d) != shape.dim(d))) {
                if (found >= 0) {
                    return -1;
                }
                found = dim;
            }
        }
        return found;
    }

    /// A letter, who it stands for, and what that is.
    record Key(String letter, List<Integer> ranks, String file, Piece piece) {
        Key {
            ranks = List.copyOf(ranks);
        }

        /// `rank 1`, `ranks 0, 2`, or a file's name.
        String who() {
            if (ranks.isEmpty()) {
                return file;
            }
            return (ranks.size() == 1 ? "rank " : "ranks ") + Ranks.text(ranks);
        }
    }

    /// What the letters stand for, in their order; empty pieces have none.
    List<Key> keys() {
        List<Key> keys = new ArrayList<>();
        boxes.forEach(b -> keys.add(keyOf(b)));
        return keys;
    }

    private Key keyOf(Region box) {
        List<Piece> pieces = holders.getOrDefault(box, List.of());
        Piece first = pieces.getFirst();
        List<Integer> ranks =
                pieces.stream().map(Piece::rank).filter(r -> r >= 0).toList();
        return new Key(
                first.global().isEmpty() ? "-" : String.valueOf(letter(box)),
                ranks,
                String.valueOf(first.file().getFileName()),
                first);
    }
}
