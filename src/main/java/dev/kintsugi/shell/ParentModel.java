package dev.kintsugi.shell;

import dev.kintsugi.architecture.Adapter;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A model as a fusion takes it.
///
///     NAME              an open model; an adapter it holds is merged in
///     NAME@RANK         what a rank holds, under the names of its file
///     NAME@*            all ranks, in order
///     BASE+ADAPTER…     a model with open adapters merged in, one after the other
///
/// @param models the open models it is made of
record ParentModel(String name, StateDict tensors, List<Model> models) {
    private static final Pattern RANK = Pattern.compile("(.+)@(\\d{1,9}|\\*)");

    ParentModel {
        models = List.copyOf(models);
    }

    /// The models that `words` name. **Errors.** [Fault] `K1004` for names nothing is open under, `K7002` for
    /// one given twice, `K4006` and `K4011` for adapters that cannot be merged.
    static List<ParentModel> all(List<String> words, OptionalDouble alpha, Session session) {
        List<ParentModel> parents = new ArrayList<>();
        words.forEach(word -> parents.addAll(of(word, alpha, session)));
        LinkedHashSet<String> names = new LinkedHashSet<>();
        for (ParentModel parent : parents) {
            if (!names.add(parent.name())) {
                throw new Fault(
                        Code.K7002,
                        parent.name() + " is named twice",
                        "a model takes part once",
                        "give it more weight with --weights, or open it again under another name");
            }
        }
        return parents;
    }

    /// The one model that `word` names.
    static ParentModel one(String word, OptionalDouble alpha, Session session) {
        List<ParentModel> found = of(word, alpha, session);
        if (found.size() != 1) {
            throw new Fault(
                    Code.K7002,
                    word + " is " + found.size() + " models",
                    "one is needed here",
                    "name one of them, such as " + found.getFirst().name());
        }
        return found.getFirst();
    }

    private static List<ParentModel> of(String word, OptionalDouble alpha, Session session) {
        if (session.models().containsKey(word)) {
            return List.of(plain(session.model(word), alpha, session));
        }
        if (word.contains("+")) {
            return List.of(adapted(word, List.of(word.split("\\+", -1)), alpha, session));
        }
        Matcher rank = RANK.matcher(word);
        if (rank.matches() && session.models().containsKey(rank.group(1))) {
            return ranks(session.model(rank.group(1)), rank.group(2));
        }
        return List.of(plain(session.model(word), alpha, session));
    }

    private static ParentModel plain(Model model, OptionalDouble alpha, Session session) {
        Optional<Adapter> adapter = model.hub().storedAdapter();
        if (adapter.isEmpty()) {
            return new ParentModel(model.name(), model.tensors(), List.of(model));
        }
        StateDict base = baseOf(model, model.name());
        session.console().note(said(model, adapter.get(), alpha, model.name()));
        return new ParentModel(
                model.name(), adapter.get().mergeInto(base, alpha, model.hub()::nameOnDisk), List.of(model));
    }

    /// The model without its adapter. **Errors.** [Fault] `K7003` if it is nothing but an adapter.
    private static StateDict baseOf(Model model, String word) {
        StateDict base = model.hub().tensors();
        if (base.size() == 0) {
            throw new Fault(
                    Code.K7003,
                    word + " is an adapter alone",
                    "mixing the factors A and B of adapters does not mix what they do, which is their product",
                    "name it with its base, as in BASE+" + model.name());
        }
        return base;
    }

    private static ParentModel adapted(String word, List<String> parts, OptionalDouble alpha, Session session) {
        Model first = session.model(parts.getFirst());
        StateDict tensors = plain(first, alpha, session).tensors();
        List<Model> models = new ArrayList<>(List.of(first));
        for (String part : parts.subList(1, parts.size())) {
            Model model = session.model(part);
            Adapter adapter = model.hub()
                    .storedAdapter()
                    .orElseThrow(() -> new Fault(
                            Code.K7003,
                            part + " holds no adapter",
                            "what stands behind a + is merged into what stands before it",
                            "fuse whole models by naming them apart: " + word.replace('+', ' ')));
            session.console().note(said(model, adapter, alpha, first.name()));
            tensors = adapter.mergeInto(tensors, alpha, first.hub()::nameOnDisk);
            models.add(model);
        }
        return new ParentModel(word, tensors, models);
    }

    private static String said(Model model, Adapter adapter, OptionalDouble alpha, String into) {
        return "the adapter of " + model.name() + " (rank " + adapter.rank() + ", alpha "
                + Numbers.text(adapter.alpha(alpha)) + ") is merged into " + into;
    }

    private static List<ParentModel> ranks(Model model, String rank) {
        Map<Integer, StateDict> views =
                model.checkpoint().map(c -> Map.copyOf(c.ranks())).orElse(Map.of());
        List<ParentModel> parents = new ArrayList<>();
        new TreeMap<>(views).forEach((number, view) -> {
            if (rank.equals("*") || rank.equals(Integer.toString(number))) {
                parents.add(new ParentModel(model.name() + "@" + number, view, List.of(model)));
            }
        });
        if (parents.isEmpty()) {
            throw new Fault(
                    Code.K1004,
                    model.name() + " has no rank " + rank,
                    views.isEmpty() ? "it was not written by ranks" : "its ranks are " + new TreeMap<>(views).keySet(),
                    "see them with: shards " + model.name());
        }
        return parents;
    }
}
