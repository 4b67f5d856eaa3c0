package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;

/// What one rank holds, `actor@3`: exactly its local tensors, under the names of its file.
///
/// It lives as long as the model it looks into; closing the view closes nothing.
final class RankView implements Model {
    /// `actor@3`; `actor@*` where `rank` is absent.
    record Reference(String model, OptionalInt rank) {
        /// `text` as a reference to a rank or to all, if it is spelled as one.
        static Optional<Reference> parse(String text) {
            int at = text.lastIndexOf('@');
            String rank = text.substring(at + 1);
            if (at <= 0 || !rank.equals("*") && !rank.matches("\\d{1,9}")) {
                return Optional.empty();
            }
            OptionalInt number = rank.equals("*") ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(rank));
            return Optional.of(new Reference(text.substring(0, at), number));
        }
    }

    private final Model whole;
    private final int rank;
    private final StateDict local;
    private final Checkpoint checkpoint;

    private RankView(Model whole, Checkpoint opened, int rank, StateDict local) {
        this.whole = whole;
        this.rank = rank;
        this.local = local;
        this.checkpoint = narrowed(opened, rank, local);
    }

    /// The view of `rank`. **Errors.** [Fault] `K1004` with the ranks there are.
    static RankView of(Model model, int rank) {
        SequencedMap<Integer, StateDict> ranks = ranks(model);
        StateDict local = ranks.get(rank);
        if (local == null || model.checkpoint().isEmpty()) {
            throw noRank(model, Integer.toString(rank));
        }
        return new RankView(model, model.checkpoint().get(), rank, local);
    }

    /// What each rank of `model` holds; empty if its files belong to no rank.
    static SequencedMap<Integer, StateDict> ranks(Model model) {
        return model.checkpoint().map(Checkpoint::ranks).orElseGet(LinkedHashMap::new);
    }

    static Fault noRank(Model model, String wanted) {
        SequencedMap<Integer, StateDict> ranks = ranks(model);
        if (ranks.isEmpty()) {
            return new Fault(
                    Code.K1004,
                    model.name() + " has no rank " + wanted,
                    model.checkpoint().isPresent()
                            ? whyNone(model.checkpoint().get())
                            : "it is a fusion, which no rank holds",
                    "name the model itself: " + model.name());
        }
        return new Fault(
                Code.K1004,
                model.name() + " has no rank " + wanted,
                "its ranks are " + Ranks.text(List.copyOf(ranks.keySet())),
                "name one of them, as in " + model.name() + "@"
                        + ranks.firstEntry().getKey() + ", or all: " + model.name() + "@*");
    }

    private static String whyNone(Checkpoint checkpoint) {
        boolean written = checkpoint.files().stream().anyMatch(f -> f.rank().isPresent());
        return written
                ? checkpoint.format() + " keeps each piece once, and not which ranks held it in memory"
                : "its files belong to no rank";
    }

    private static Checkpoint narrowed(Checkpoint opened, int rank, StateDict local) {
        Map<String, Layout> layouts = new LinkedHashMap<>();
        opened.layouts().forEach((name, layout) -> {
            List<Piece> pieces =
                    layout.pieces().stream().filter(p -> p.rank() == rank).toList();
            if (local.has(name) && !pieces.isEmpty()) {
                layouts.put(name, layout.withPieces(pieces));
            }
        });
        return new Checkpoint(
                opened.format() + ", rank " + rank + " of " + opened.worldSize(),
                opened.directories(),
                1,
                opened.mesh(),
                opened.files().stream()
                        .filter(f -> f.rank().equals(OptionalInt.of(rank)))
                        .toList(),
                local,
                layouts,
                new LinkedHashMap<>(),
                opened.sidecars(),
                List.of(),
                List.of(),
                opened.writtenBy(),
                opened.resources());
    }

    @Override
    public String name() {
        return whole.name() + "@" + rank;
    }

    @Override
    public String command() {
        return whole.command();
    }

    @Override
    public StateDict tensors() {
        return local;
    }

    /// Its tensors under the names of the file: pieces have other shapes than `config.json` says.
    @Override
    public HubModel hub() {
        return hub(HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS));
    }

    /// **Errors.** [Fault] `K4004` if names after `config.json` are wanted and it does not hold whole tensors.
    @Override
    public HubModel hub(HubOptions options) {
        if (options.keys() == HubOptions.Keys.CONFIG) {
            refusePieces();
        }
        return HubModel.of(local, directories(), sidecars(), options);
    }

    private void refusePieces() {
        StateDict all = whole.checkpoint().orElseThrow().tensors();
        long pieces = local.tensors().entrySet().stream()
                .filter(e -> all.find(e.getKey()).map(Tensor::spec).stream()
                        .noneMatch(s -> s.equals(e.getValue().spec())))
                .count();
        long absent = all.names().stream().filter(n -> !local.has(n)).count();
        if (pieces > 0 || absent > 0) {
            throw new Fault(
                    Code.K4004,
                    name() + " is not a whole model",
                    pieces + " of its " + Counted.of(local.size(), "tensor") + " are pieces, " + absent
                            + " of the model's are on other ranks only",
                    "take the model itself, " + whole.name() + ", or the pieces as they are with --keys as-is");
        }
    }

    @Override
    public Optional<Checkpoint> checkpoint() {
        return Optional.of(checkpoint);
    }

    @Override
    public List<Path> directories() {
        return whole.directories();
    }

    @Override
    public Optional<Path> sidecars() {
        return whole.sidecars();
    }

    @Override
    public void checkUnchanged() {
        whole.checkUnchanged();
    }

    @Override
    public void close() {
        // The files belong to the model.
    }
}
