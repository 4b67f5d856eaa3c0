package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.fault.Note;
import dev.kintsugi.tensor.StateDict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Reports about models as wholes.
final class ModelSheets {
    private ModelSheets() {}

    static Sheet opened(Model model) {
        Sheet sheet = Sheet.of("open").line(ModelText.summary(model));
        facts(sheet, model);
        return sheet;
    }

    private static void facts(Sheet sheet, Model model) {
        StateDict tensors = model.tensors();
        HubModel hub = model.hub();
        sheet.fact("model", model.name())
                .fact("source", model.checkpoint().map(Checkpoint::format).orElse("fusion"))
                .fact(
                        "world_size",
                        model.checkpoint().map(Checkpoint::worldSize).orElse(1))
                .fact(
                        "mesh",
                        model.checkpoint()
                                .flatMap(Checkpoint::mesh)
                                .map(Object::toString)
                                .orElse(""))
                .fact("tensors", (long) tensors.size())
                .fact("parameters", tensors.elementCount())
                .fact("bytes", tensors.byteCount())
                .fact("dtypes", ModelText.dtypes(tensors))
                .fact("architecture", hub.architecture().orElse(""))
                .fact(
                        "directories",
                        model.directories().stream().map(Path::toString).toList())
                .fact("sidecars", model.sidecars().map(Path::toString).orElse(""));
        Optional<Checkpoint> checkpoint = model.checkpoint();
        sheet.fact("missing_ranks", checkpoint.map(ModelText::absentRanks).orElse(List.of()))
                .fact(
                        "notes",
                        checkpoint.map(Checkpoint::notes).orElse(List.of()).stream()
                                .map(Note::text)
                                .toList())
                .fact("ignored", checkpoint.map(Checkpoint::ignored).orElse(List.of()));
    }

    static Sheet models(Session session) {
        Sheet sheet = Sheet.of("models")
                .rows("models")
                .column("model", "model")
                .column("source", "source")
                .number("tensors", "tensors")
                .number("parameters", "parameters")
                .bytes("bytes", "bytes")
                .column("used", "")
                .column("command", "made by");
        for (Model model : session.models().values()) {
            StateDict tensors = model.tensors();
            sheet.row(
                    model.name(),
                    model.checkpoint().map(ModelText::source).orElse("fusion"),
                    (long) tensors.size(),
                    tensors.elementCount(),
                    tensors.byteCount(),
                    session.current().filter(model.name()::equals).isPresent() ? "in use" : "",
                    model.command());
        }
        if (session.models().isEmpty()) {
            sheet.below("no model is open; open one: open PATH");
        }
        return sheet;
    }

    static Sheet info(Model model) {
        Sheet sheet = Sheet.of("info").line(ModelText.summary(model));
        facts(sheet, model);
        HubModel hub = model.hub();
        model.directories().forEach(d -> sheet.line("  directory      " + d));
        String sidecars = model.sidecars()
                .map(d -> d + ": " + String.join(", ", list(d)))
                .orElse("none found; give them with --sidecars DIR");
        sheet.line("  sidecars       " + sidecars);
        hub.storedAdapter()
                .ifPresent(a -> sheet.line("  adapter        " + a.pairs().size() + " pairs, rank " + a.rank()
                        + ", modules " + String.join(", ", a.targetModules())));
        if (!hub.ties().isEmpty()) {
            hub.ties().forEach(t -> sheet.line("  tied           " + t.droppedName() + " = " + t.keptName()));
        }
        model.checkpoint().ifPresent(c -> {
            c.writtenBy().ifPresent(w -> sheet.line("  written by     " + w));
            c.notes().forEach(n -> sheet.line("  note           " + n.text()));
            Opening.ignored(c).ifPresent(i -> sheet.line("  ignored        " + i));
        });
        sheet.fact("command", model.command());
        return sheet.line("  reproduce      " + model.command());
    }

    private static List<String> list(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(Files::isRegularFile)
                    .map(p -> String.valueOf(p.getFileName()))
                    .filter(n -> !n.endsWith(".pt") && !n.endsWith(".safetensors") && !n.endsWith(".distcp"))
                    .sorted()
                    .limit(20)
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }
}
