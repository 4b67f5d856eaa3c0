package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.stream.Collectors;

/// Where a model comes from: the models it is made of, and theirs.
final class Lineage {
    private Lineage() {}

    /// The models behind `model` and it itself, each once and after those it is made of.
    static List<Model> of(Model model) {
        SequencedSet<Model> seen = new LinkedHashSet<>();
        collect(model, seen);
        return List.copyOf(seen);
    }

    private static void collect(Model model, SequencedSet<Model> seen) {
        if (model instanceof FusedModel fused) {
            fused.parents().models().forEach(m -> collect(m, seen));
        }
        seen.add(model);
    }

    /// The commands that make it again, a line each.
    static String recipe(Model model) {
        return of(model).stream().map(Model::command).collect(Collectors.joining("\n"));
    }

    /// The checkpoints it is read from, a line each: name, format, directories.
    static String sources(Model model) {
        List<String> lines = new ArrayList<>();
        for (Model source : of(model)) {
            source.checkpoint()
                    .ifPresent(c -> lines.add(source.name() + ": " + ModelText.source(c) + ", "
                            + source.directories().stream().map(Path::toString).collect(Collectors.joining(" "))));
        }
        return String.join("\n", lines);
    }

    /// What tells its sources, and what is done with them, from others.
    static List<String> fingerprints(Model model) {
        List<String> prints = new ArrayList<>();
        for (Model source : of(model)) {
            source.checkpoint().map(Checkpoint::files).ifPresent(files -> files.forEach(f -> prints.add(f.toString())));
            if (source instanceof FusedModel) {
                prints.add(source.command());
            }
        }
        return prints;
    }
}
