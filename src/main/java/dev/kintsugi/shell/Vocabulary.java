package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The tokens behind the rows of an embedding.
final class Vocabulary {
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final long MAX_BYTES = 256L << 20;
    private static final int SHOWN = 5;

    private Vocabulary() {}

    /// **Errors.** [Fault] `K7003` where the models' embeddings, if selected, have different numbers of rows,
    /// with the tokens that the longer ones would lose.
    static void refuseLoss(
            Method method, List<ParentModel> models, Optional<ParentModel> base, Predicate<String> selection) {
        if (method.name().equals("concatenate") || !selection.test(EMBEDDING)) {
            return;
        }
        List<ParentModel> all = new ArrayList<>(models);
        base.ifPresent(all::add);
        Optional<ParentModel> fewest = Optional.empty();
        Optional<ParentModel> most = Optional.empty();
        for (ParentModel model : all) {
            if (rows(model) > 0 && (fewest.isEmpty() || rows(model) < rows(fewest.get()))) {
                fewest = Optional.of(model);
            }
            if (rows(model) > 0 && (most.isEmpty() || rows(model) > rows(most.get()))) {
                most = Optional.of(model);
            }
        }
        boolean alike = all.stream().map(Vocabulary::width).distinct().count() == 1;
        if (!alike || fewest.isEmpty() || most.isEmpty() || rows(fewest.get()) == rows(most.get())) {
            return;
        }
        long kept = rows(fewest.get());
        long lost = rows(most.get()) - kept;
        throw new Fault(
                Code.K7003,
                EMBEDDING + " has " + rows(most.get()) + " rows in "
                        + most.get().name() + " and " + kept + " in "
                        + fewest.get().name(),
                "cut to the shorter, " + most.get().name() + " would lose " + Counted.of(lost, "token")
                        + tokens(most.get(), kept, lost),
                "give the models one vocabulary first, or leave it out:"
                        + " --layers '!**.embed_tokens.weight' --layers '!**lm_head.weight'");
    }

    private static Optional<Shape> shape(ParentModel model) {
        return model.tensors().find(EMBEDDING).map(t -> t.spec().shape()).filter(s -> s.ndim() == 2);
    }

    private static long rows(ParentModel model) {
        return shape(model).map(s -> s.dim(0)).orElse(0L);
    }

    private static long width(ParentModel model) {
        return shape(model).map(s -> s.dim(1)).orElse(0L);
    }

    private static String tokens(ParentModel model, long from, long lost) {
        List<String> names =
                model.models().getFirst().sidecars().map(d -> read(d.resolve("tokenizer.json"), from)).stream()
                        .flatMap(List::stream)
                        .toList();
        if (names.isEmpty()) {
            return ", ids " + from + " to " + (from + lost - 1) + " (padding, or named by no tokenizer.json)";
        }
        String shown = String.join(" ", names.subList(0, Math.min(SHOWN, names.size())));
        return ": " + shown + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more" : "");
    }

    /// The tokens of a `tokenizer.json` with ids of `from` and more, by id; none if it cannot be read.
    private static List<String> read(Path file, long from) {
        TreeMap<Long, String> tokens = new TreeMap<>();
        try {
            if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
                return List.of();
            }
            JsonNode root = JsonMapper.shared().readTree(Files.readString(file));
            root.path("model").path("vocab").forEachEntry((token, id) -> {
                if (id.asLong(-1) >= from) {
                    tokens.put(id.asLong(), token);
                }
            });
            root.path("added_tokens").forEach(t -> {
                if (t.path("id").asLong(-1) >= from) {
                    tokens.put(t.path("id").asLong(), t.path("content").asString(""));
                }
            });
        } catch (IOException | JacksonException e) {
            return List.of();
        }
        return List.copyOf(tokens.values());
    }
}
