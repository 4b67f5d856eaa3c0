package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.architecture.Origin;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.tensor.Region;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// `explain CODE`, `explain MODEL TENSOR`, `explain FUSION [TENSOR]`.
final class ExplainVerb extends Verb {
    ExplainVerb(Session session) {
        super(
                session,
                "explain",
                "look",
                "Explains an error code, where each piece of a tensor lies and what becomes of its name, or a fusion",
                "explain K2103\nexplain actor model.embed_tokens.weight",
                List.of(
                        Parameter.required("CODE|MODEL", ValueKind.CODE),
                        Parameter.optional("TENSOR", ValueKind.TENSOR)));
    }

    @Override
    Status run(Invocation call) {
        Optional<Code> code = Code.parse(call.word(0));
        if (code.isPresent()) {
            ErrorPages.sheet(code.get()).print(call.console());
            return Status.DONE;
        }
        boolean model = session().find(call.word(0)).isPresent();
        if (!model && call.word(0).matches("[kK]\\d+")) {
            throw new Fault(
                    Code.K1011,
                    "there is no error code " + call.word(0),
                    "codes are K and four digits",
                    "the nearest is "
                            + Nearest.to(call.word(0), codes(), 1).stream()
                                    .findFirst()
                                    .orElse("K1001"));
        }
        Model chosen = model ? session().model(call.word(0)) : session().model();
        if (chosen instanceof FusedModel fused) {
            fused(fused, model && call.words().size() == 1, call).print(call.console());
            return Status.DONE;
        }
        if (model && call.words().size() == 1) {
            ModelSheets.info(chosen).print(call.console());
            return Status.DONE;
        }
        tensor(chosen, call.words().getLast()).print(call.console());
        return Status.DONE;
    }

    private Sheet fused(FusedModel model, boolean whole, Invocation call) {
        if (whole) {
            return FusionSheets.explained(model);
        }
        String name = FusionSheets.tensorNamed(model, call.words().getLast());
        return session()
                .work(
                        "explain",
                        job -> FusionSheets.tensor(model, name, call.console().format()));
    }

    private static List<String> codes() {
        return Arrays.stream(Code.values()).map(Code::name).toList();
    }

    private static Sheet tensor(Model model, String name) {
        Checkpoint checkpoint = model.checkpoint()
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        model.name() + " is a fusion",
                        "its tensors lie in no file",
                        "explain its parents"));
        HubModel hub = model.hub(HubOptions.defaults());
        String disk = hub.origins().containsKey(name)
                ? name
                : hub.origins().entrySet().stream()
                        .filter(e -> e.getValue().stored().contains(name)
                                || e.getKey().endsWith("." + name))
                        .map(Map.Entry::getKey)
                        .findFirst()
                        .orElse(name);
        Optional<Origin> origin = Optional.ofNullable(hub.origins().get(disk));
        String stored = origin.map(o -> o.stored().getFirst()).orElse(name);
        Layout layout = checkpoint.layouts().get(stored);
        if (layout == null) {
            List<String> near = Nearest.to(name, checkpoint.tensors().names(), 3);
            throw new Fault(
                    Code.K1005,
                    model.name() + " has no tensor " + name,
                    near.isEmpty() ? "see: tensors " + model.name() : "the nearest are " + String.join(", ", near),
                    near.isEmpty() ? "name one of them" : "explain " + model.name() + " " + near.getFirst());
        }
        Sheet sheet = Sheet.of("explain")
                .fact("model", model.name())
                .fact("tensor", disk)
                .fact("stored", stored)
                .fact("dtype", layout.spec().dtype().name())
                .fact("shape", layout.spec().shape().toString())
                .fact("steps", origin.map(Origin::steps).orElse(List.of()))
                .rows("pieces")
                .column("rank", "rank")
                .column("file", "file")
                .column("record", "record")
                .number("byte_offset", "at byte")
                .number("bytes", "bytes")
                .column("region", "holds")
                .column("note", "");
        sheet.line(disk + "  " + layout.spec() + ", " + layout.kind());
        if (!stored.equals(disk)) {
            sheet.line("  in the files as  " + stored);
        }
        origin.ifPresent(o -> o.steps().forEach(s -> sheet.line("  " + s)));
        for (int dim = 0;
                dim < Math.min(layout.meshDims().size(), layout.placements().size());
                dim++) {
            sheet.line("  mesh dim " + layout.meshDims().get(dim) + "  "
                    + layout.placements().get(dim));
        }
        int width = layout.spec().dtype().byteWidth();
        layout.pieces().forEach(p -> row(sheet, p, width));
        return sheet;
    }

    private static void row(Sheet sheet, Piece piece, int width) {
        List<String> notes = new ArrayList<>();
        if (piece.replica()) {
            notes.add("replica");
        }
        if (piece.trimmedElements() > 0) {
            notes.add(Units.exact(piece.trimmedElements()) + " elements of padding trimmed");
        }
        sheet.row(
                piece.rank() < 0 ? "" : Integer.toString(piece.rank()),
                String.valueOf(piece.file().getFileName()),
                piece.record(),
                piece.byteOffset(),
                piece.global().elementCount() * width,
                piece.global().isEmpty() ? "nothing" : region(piece.global()),
                String.join(", ", notes));
    }

    /// `rows 0-71, columns 0-31`, or ranges for other numbers of dims.
    private static String region(Region region) {
        if (region.ndim() == 0) {
            return "the value";
        }
        List<String> parts = new ArrayList<>();
        for (int dim = 0; dim < region.ndim(); dim++) {
            String range = region.offset().dim(dim) + ".." + (region.end(dim) - 1);
            String label = dim == 0 ? "rows " : dim == 1 ? "columns " : "dim " + dim + " ";
            parts.add((region.ndim() == 1 ? "elements " : label) + range);
        }
        return String.join(", ", parts);
    }
}
