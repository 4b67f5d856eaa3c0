package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.FlatBuffer;
import dev.kintsugi.checkpoint.FlatBuffer.Span;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// Each rank's flat buffers as ribbons: a letter and a colour a parameter, `|` where one ends, `>` where it goes on in
/// the next rank's, `/` for padding.
///
/// A cell stands for so many elements that a buffer fills about a line; each parameter has one at least, and long
/// ribbons go on in the next line.
final class RibbonSheet {
    private static final int COLUMNS = 66;
    private static final int CELLS = 48;
    private static final int MOST_BUFFERS = 64;

    private final Checkpoint checkpoint;
    private final Console console;
    private final SequencedMap<String, Integer> numbers = new LinkedHashMap<>();
    private final long cell;

    private RibbonSheet(Checkpoint checkpoint, Console console) {
        this.checkpoint = checkpoint;
        this.console = console;
        checkpoint.buffers().forEach(b -> b.spans().forEach(s -> numbers.putIfAbsent(s.parameter(), numbers.size())));
        long longest = checkpoint.buffers().stream()
                .mapToLong(FlatBuffer::elementCount)
                .max()
                .orElse(1);
        int spans = checkpoint.buffers().stream()
                .mapToInt(b -> b.spans().size())
                .max()
                .orElse(1);
        this.cell = Math.max(1, Math.ceilDiv(longest, (long) Math.max(CELLS, 2 * spans)));
    }

    /// **Errors.** [Fault] `K1003` if the checkpoint has no flat buffers.
    static Sheet of(Model model, Checkpoint checkpoint, Console console) {
        if (checkpoint.buffers().isEmpty()) {
            throw new Fault(
                    Code.K1003,
                    model.name() + " has no flat buffers to draw: " + checkpoint.format(),
                    "DeepSpeed ZeRO lays parameters end to end in one buffer a rank; here each tensor is cut by itself",
                    "draw one tensor: placements " + model.name() + " TENSOR --draw");
        }
        return new RibbonSheet(checkpoint, console).sheet(model);
    }

    private Sheet sheet(Model model) {
        List<FlatBuffer> buffers = checkpoint.buffers();
        Sheet sheet = Sheet.of("ribbon")
                .fact("model", model.name())
                .fact("world_size", checkpoint.worldSize())
                .fact("elements_per_cell", cell)
                .fact("buffers", buffers.stream().map(RibbonSheet::data).toList())
                .rows("parameters")
                .column("letter", "")
                .column("parameter", "parameter")
                .number("elements", "elements")
                .column("where", "elements in the flat buffers");
        sheet.line(model.name() + "  " + checkpoint.format() + ", " + checkpoint.worldSize() + " ranks; a cell is "
                + Counted.of(cell, "element") + ", / padding, > goes on in the next rank");
        String group = "";
        for (FlatBuffer buffer : buffers.subList(0, Math.min(MOST_BUFFERS, buffers.size()))) {
            if (!buffer.group().equals(group)) {
                group = buffer.group();
                sheet.line(group + ": " + Counted.of(buffer.elementCount(), "element") + " a rank");
            }
            draw(sheet, buffer);
        }
        if (buffers.size() > MOST_BUFFERS) {
            sheet.line("… and " + (buffers.size() - MOST_BUFFERS) + " more buffers; --format json has all");
        }
        places().forEach((parameter, spans) -> sheet.row(
                String.valueOf(letter(parameter)),
                parameter,
                spans.stream().mapToLong(p -> p.span().count()).sum(),
                spans.stream().map(Place::toString).toList()));
        return sheet;
    }

    private record Place(int rank, Span span) {
        @Override
        public String toString() {
            return "rank " + rank + ": " + span.first() + ".." + (span.end() - 1);
        }
    }

    private SequencedMap<String, List<Place>> places() {
        SequencedMap<String, List<Place>> places = new LinkedHashMap<>();
        numbers.keySet().forEach(p -> places.put(p, new ArrayList<>()));
        checkpoint
                .buffers()
                .forEach(b -> b.spans()
                        .forEach(s -> places.computeIfAbsent(s.parameter(), p -> new ArrayList<>())
                                .add(new Place(b.rank(), s))));
        return places;
    }

    private static Map<String, Object> data(FlatBuffer buffer) {
        SequencedMap<String, Object> data = new LinkedHashMap<>();
        data.put("rank", buffer.rank());
        data.put("group", buffer.group());
        data.put("elements", buffer.elementCount());
        data.put("stored_elements", buffer.storedCount());
        data.put("padding", buffer.padding());
        data.put(
                "spans",
                buffer.spans().stream()
                        .map(s -> {
                            SequencedMap<String, Object> span = new LinkedHashMap<>();
                            span.put("parameter", s.parameter());
                            span.put("first", s.first());
                            span.put("count", s.count());
                            span.put("parameter_first", s.parameterFirst());
                            return span;
                        })
                        .toList());
        return data;
    }

    private char letter(String parameter) {
        int number = numbers.getOrDefault(parameter, 0);
        return TensorDrawing.LETTERS.charAt(number % TensorDrawing.LETTERS.length());
    }

    private void draw(Sheet sheet, FlatBuffer buffer) {
        String label = "  rank " + buffer.rank() + " ";
        String indent = " ".repeat(label.length());
        String missing = buffer.storedCount() == 0 ? "  (its file is missing)" : "";
        List<String> lines = wrapped(ribbon(buffer));
        for (int i = 0; i < lines.size(); i++) {
            String end = i == lines.size() - 1 ? missing : "";
            sheet.painted((i == 0 ? label : indent) + TensorDrawing.paint(lines.get(i), console) + end);
        }
    }

    private String ribbon(FlatBuffer buffer) {
        StringBuilder text = new StringBuilder();
        long at = 0;
        for (int i = 0; i < buffer.spans().size(); i++) {
            Span span = buffer.spans().get(i);
            text.append(padding(span.first() - at));
            text.append(i == 0 && goesOn(buffer, -1) ? '>' : '|');
            text.append(String.valueOf(letter(span.parameter())).repeat(cells(span.count())));
            at = span.end();
        }
        text.append(goesOn(buffer, 1) ? '>' : '|');
        String rest = padding(buffer.elementCount() - at);
        return text.append(rest).append(rest.isEmpty() ? "" : "|").toString();
    }

    /// Whether the parameter at the end of `buffer`, or at its start where `step` is -1, goes on in that of the rank
    /// `step` further.
    private boolean goesOn(FlatBuffer buffer, int step) {
        Optional<FlatBuffer> other = checkpoint.buffers().stream()
                .filter(b -> b.rank() == buffer.rank() + step && b.group().equals(buffer.group()))
                .findFirst();
        FlatBuffer before = step < 0 ? other.orElse(buffer) : buffer;
        FlatBuffer after = step < 0 ? buffer : other.orElse(buffer);
        if (before == after || before.spans().isEmpty() || after.spans().isEmpty()) {
            return false;
        }
        Span last = before.spans().getLast();
        Span first = after.spans().getFirst();
        return last.parameter().equals(first.parameter())
                && last.parameterFirst() + last.count() == first.parameterFirst();
    }

    private String padding(long elements) {
        return elements == 0 ? "" : "/".repeat(cells(elements));
    }

    private int cells(long elements) {
        return Math.toIntExact(Math.max(1, Math.round((double) elements / cell)));
    }

    private static List<String> wrapped(String ribbon) {
        List<String> lines = new ArrayList<>();
        for (int from = 0; from < ribbon.length(); from += COLUMNS) {
            lines.add(ribbon.substring(from, Math.min(ribbon.length(), from + COLUMNS)));
        }
        return lines;
    }
}
