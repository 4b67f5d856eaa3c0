package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tokenizer.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;

/// The tokens behind the rows of an embedding: what a row means, which its number does not say.
final class Vocabulary {
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String TOKENIZER = "tokenizer.json";
    private static final String LEFT_OUT = "--layers '!**.embed_tokens.weight' --layers '!**lm_head.weight'";
    private static final int SHOWN = 5;

    private Vocabulary() {}

    /// **Errors.** [Fault] `K7003` where the models' embeddings, if selected, have different numbers of rows,
    /// with the tokens that the longer ones would lose; or where their `tokenizer.json` give a row different
    /// tokens, with the first of those and the tokens that `face`'s does not have.
    /// Rows may differ in number if they are `cropped`.
    static void refuseLoss(
            Method method,
            List<ParentModel> models,
            Optional<ParentModel> base,
            Predicate<String> selection,
            Model face,
            boolean cropped) {
        if (method.name().equals("concatenate") || !selection.test(EMBEDDING)) {
            return;
        }
        List<ParentModel> all = new ArrayList<>(models);
        base.ifPresent(all::add);
        if (!cropped) {
            refuseRows(all);
        }
        refuseOtherTokens(all, face);
    }

    private static void refuseRows(List<ParentModel> all) {
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
                "give the models one vocabulary first, or leave it out: " + LEFT_OUT);
    }

    private static void refuseOtherTokens(List<ParentModel> all, Model face) {
        List<Model> models = new ArrayList<>(List.of(face));
        all.stream().filter(m -> rows(m) > 0).forEach(m -> models.add(m.models().getFirst()));
        models.removeIf(m -> tokenizer(m).isEmpty());
        TreeMap<Long, String> kept = new TreeMap<>();
        for (Model model : models) {
            if (sameText(models.getFirst(), model)) {
                continue;
            }
            if (kept.isEmpty()) {
                kept.putAll(read(models.getFirst(), 0));
            }
            refuseOtherTokens(kept, models.getFirst().name(), read(model, 0), model.name());
        }
    }

    private static Optional<Path> tokenizer(Model model) {
        return model.tokenizer().map(d -> d.resolve(TOKENIZER)).filter(Files::isRegularFile);
    }

    private static void refuseOtherTokens(Map<Long, String> kept, String face, Map<Long, String> tokens, String model) {
        List<Long> moved = new ArrayList<>();
        tokens.forEach((id, token) -> {
            if (!token.equals(kept.getOrDefault(id, token))) {
                moved.add(id);
            }
        });
        if (moved.isEmpty()) {
            return;
        }
        List<String> lost = lost(kept, tokens);
        throw new Fault(
                Code.K7003,
                "the vocabularies of " + face + " and " + model + " differ: row " + moved.getFirst() + " is "
                        + kept.get(moved.getFirst()) + " in " + face + " and " + tokens.get(moved.getFirst()) + " in "
                        + model + "; " + Counted.of(moved.size(), "row") + " of that kind",
                "rows of different tokens would be mixed"
                        + (lost.isEmpty()
                                ? ""
                                : ", and with the tokenizer of " + face + " " + Counted.of(lost.size(), "token")
                                        + " of " + model + " would be lost: " + shown(lost)),
                "give the models one vocabulary first, or leave it out: " + LEFT_OUT);
    }

    /// Those of `tokens` that `kept` does not have.
    private static List<String> lost(Map<Long, String> kept, Map<Long, String> tokens) {
        Set<String> known = new HashSet<>(kept.values());
        return tokens.values().stream().filter(t -> !known.contains(t)).toList();
    }

    private static boolean sameText(Model a, Model b) {
        String mine = a.texts().get(TOKENIZER);
        if (mine != null || b.texts().containsKey(TOKENIZER)) {
            return mine != null && mine.equals(b.texts().get(TOKENIZER));
        }
        Path first = tokenizer(a).orElseThrow();
        Path second = tokenizer(b).orElseThrow();
        try {
            return Files.isSameFile(first, second) || Files.mismatch(first, second) < 0;
        } catch (IOException e) {
            return false;
        }
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
        List<String> names = List.copyOf(read(model.models().getFirst(), from).values());
        if (names.isEmpty()) {
            return ", ids " + from + " to " + (from + lost - 1) + " (padding, or named by no tokenizer.json)";
        }
        return ": " + shown(names);
    }

    /// The first few of `names`.
    static String shown(List<String> names) {
        String shown = String.join(" ", names.subList(0, Math.min(SHOWN, names.size())));
        return shown + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more" : "");
    }

    /// The tokens of a model with ids of `from` and more, by id; none if its files cannot be read.
    ///
    /// **Errors.** [Fault] `K2305` beyond the limit.
    private static SortedMap<Long, String> read(Model model, long from) {
        TreeMap<Long, String> tokens = new TreeMap<>();
        model.tokenizer().ifPresent(Vocabulary::checkSize);
        try {
            model.tokenizer()
                    .flatMap(d -> Tokens.read(d, model.texts()))
                    .ifPresent(t -> t.ids().forEach((token, id) -> {
                        if (id >= from) {
                            tokens.put(id, token);
                        }
                    }));
        } catch (Fault fault) {
            tokens.clear();
        }
        return tokens;
    }

    private static void checkSize(Path directory) {
        Path file = directory.resolve(TOKENIZER);
        try {
            if (Files.exists(file)) {
                Limit.TOKENIZER_BYTES.checkSize(file, Code.K2305);
            }
        } catch (IOException e) {
            // What cannot be read has no tokens to tell of.
            return;
        }
    }
}
