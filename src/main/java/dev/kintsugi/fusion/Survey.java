package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedSet;
import java.util.function.Predicate;

/// How several models changed from a base: how much, where, and whether alike.
///
/// Without a base the changes are counted from the mean of the models, which shows how far they lie apart but
/// not what each learned: overlap and sparsity then say little.
/// **Memory.** A block of each model for each thread, and a few numbers per group of tensors.
///
/// @param models their names
/// @param base the base's name, if there is one
/// @param groups the tensors by their place: embeddings, attention, MLP and norms of each layer, the rest
/// @param total all of them together
public record Survey(List<String> models, Optional<String> base, List<Changes> groups, Changes total) {
    public Survey {
        models = List.copyOf(models);
        groups = List.copyOf(groups);
    }

    /// Reads every floating point tensor of the models once.
    ///
    /// **Errors.** [Fault] `K7003` where the selected tensors differ in name or shape.
    public static Survey of(List<Input> models, Optional<Input> base, Predicate<String> selection, Job job) {
        List<Input> all = new ArrayList<>(models);
        base.ifPresent(all::add);
        SequencedSet<String> names = Agreement.names(all, selection, true);
        Map<String, Changes> groups = new LinkedHashMap<>();
        Changes total = new Changes("all", models.size());
        List<String> floats = names.stream()
                .filter(n -> models.getFirst().model().tensor(n).spec().dtype().isFloat())
                .toList();
        if (floats.isEmpty()) {
            throw new Fault(
                    Code.K7003,
                    "the models share no floating point tensor",
                    "there is nothing to compare",
                    "look at them with: tensors");
        }
        for (String name : floats) {
            job.expect(all.stream()
                    .mapToLong(m -> m.model().tensor(name).spec().byteCount())
                    .sum());
        }
        List<Changes> found = Parallel.map(job, floats, name -> measure(name, group(name), models, base, job));
        for (Changes changes : found) {
            groups.computeIfAbsent(changes.group(), g -> new Changes(g, models.size()))
                    .add(changes);
            total.add(changes);
        }
        return new Survey(
                models.stream().map(Input::name).toList(), base.map(Input::name), List.copyOf(groups.values()), total);
    }

    private static Changes measure(String name, String group, List<Input> models, Optional<Input> base, Job job) {
        List<Tensor> tensors = models.stream().map(m -> m.model().tensor(name)).toList();
        Changes changes = new Changes(group, models.size());
        new Sources(tensors, base.map(b -> b.model().tensor(name))).sweep(1, block -> {
            changes.add(block);
            long width = 0;
            for (Tensor tensor : tensors) {
                width += tensor.spec().dtype().byteWidth();
            }
            job.advance(block.count() * width);
        });
        return changes;
    }

    /// `layer 7 attention`, `embeddings`, `head`, `norms and others`.
    private static String group(String name) {
        OptionalInt layer = Layers.mainLayer(name);
        if (layer.isEmpty()) {
            return Layers.isTower(name)
                    ? "vision and other towers"
                    : Layers.isEmbedding(name)
                            ? "embeddings"
                            : name.contains("head") ? "head" : "final norm and others";
        }
        String kind = name.contains("norm")
                ? "norms"
                : name.contains("attn") || name.contains("attention") ? "attention" : "MLP";
        return "layer " + layer.getAsInt() + " " + kind;
    }
}
