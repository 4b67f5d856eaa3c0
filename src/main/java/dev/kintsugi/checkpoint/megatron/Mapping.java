package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.sharding.RowsTensor;
import dev.kintsugi.sharding.RowsTensor.Rows;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SortedSet;
import java.util.TreeSet;

/// Makes the tensors of a Hugging Face model of Megatron's, by the rules of a family.
final class Mapping {
    private static final String EMBEDDING = "embedding.word_embeddings.weight";

    private final Family family;
    private final ModelConfig config;
    private final Vocabulary vocabulary;

    Mapping(Family family, ModelConfig config, Vocabulary vocabulary) {
        this.family = family;
        this.config = config;
        this.vocabulary = vocabulary;
    }

    private record Mapped(MegatronTensor tensor, Family.Match match) {
        int layer() {
            return match.layer().orElse(tensor.name().equals(EMBEDDING) ? -1 : Integer.MAX_VALUE);
        }
    }

    /// All of `tensors` under Hugging Face names, in the order of the model.
    ///
    /// **Errors.** [Fault] `K4011` for tensors without a rule, `K4013` for two that claim one name, `K3001`
    /// for layers that are in no file, `K3101` for shapes that the configuration denies.
    SequencedMap<String, JoinedTensor> map(List<MegatronTensor> tensors) {
        List<Mapped> mapped = mapped(tensors);
        checkLayers(mapped);
        return named(mapped, TiedHead.ofValueModel(tensors));
    }

    /// The optimizer's states of one kind, one a parameter and shaped like it, under the names of the
    /// parameters' parts; `valueModel` says whether the head is that of a value model.
    ///
    /// **Errors.** [Fault] as of [#map], but for layers: a part of the model may be frozen.
    SequencedMap<String, JoinedTensor> mapStates(List<MegatronTensor> states, boolean valueModel) {
        return named(mapped(states), valueModel);
    }

    /// What Hugging Face calls the parts of the tensor `name`. **Errors.** [Fault] `K4011` where no rule
    /// names it.
    List<String> targets(String name, boolean valueModel) {
        return targets(family.match(name).orElseThrow(() -> family.unmapped(List.of(name))), valueModel);
    }

    private static List<String> targets(Family.Match match, boolean valueModel) {
        Optional<String> oneRow = match.rule().oneRow();
        return valueModel && oneRow.isPresent() ? List.of(oneRow.get()) : match.targets();
    }

    private List<Mapped> mapped(List<MegatronTensor> tensors) {
        List<Mapped> mapped = new ArrayList<>();
        List<String> unmapped = new ArrayList<>();
        for (MegatronTensor tensor : tensors) {
            family.match(tensor.name())
                    .ifPresentOrElse(m -> mapped.add(new Mapped(tensor, m)), () -> unmapped.add(tensor.name()));
        }
        if (!unmapped.isEmpty()) {
            throw family.unmapped(unmapped);
        }
        mapped.sort(Comparator.comparingInt(Mapped::layer)
                .thenComparing(m -> m.match().expert().orElse(-1))
                .thenComparing(m -> m.match().index()));
        return mapped;
    }

    private SequencedMap<String, JoinedTensor> named(List<Mapped> mapped, boolean valueModel) {
        SequencedMap<String, JoinedTensor> results = new LinkedHashMap<>();
        for (Mapped one : mapped) {
            try {
                put(results, one.tensor(), one.match(), valueModel);
            } catch (Fault fault) {
                throw fault.what().startsWith(one.tensor().name())
                        ? fault
                        : fault.at(one.tensor().name());
            }
        }
        return results;
    }

    private void checkLayers(List<Mapped> mapped) {
        if (mapped.stream().noneMatch(m -> m.tensor().name().equals(EMBEDDING))) {
            throw missing("no file holds " + EMBEDDING + ", which the first pipeline stage has");
        }
        SortedSet<Integer> layers = new TreeSet<>();
        mapped.forEach(m -> m.match().layer().ifPresent(layers::add));
        for (int layer = 0; layer < layers.size(); layer++) {
            if (!layers.contains(layer)) {
                throw missing("no file holds layer " + layer + ", though there is a layer " + layers.last());
            }
        }
        if (config.layers().isPresent() && config.layers().get() != layers.size()) {
            throw missing("the files hold " + layers.size() + " layers, the configuration says "
                    + config.layers().get());
        }
    }

    private static Fault missing(String what) {
        return new Fault(
                Code.K3001,
                what,
                "the files of a pipeline stage are missing, or config.json belongs to another model",
                "copy the files of all ranks, or check config.json");
    }

    private void put(
            SequencedMap<String, JoinedTensor> results, MegatronTensor tensor, Family.Match match, boolean valueModel) {
        Rule rule = match.rule();
        if ((rule.rows() != Rule.RowOrder.WHOLE || !rule.rowsOf().isEmpty())
                && tensor.spec().shape().ndim() == 0) {
            throw shape(tensor, "it has no rows");
        }
        config.sum(rule.rowsOf()).ifPresent(rows -> {
            if (tensor.spec().shape().dim(0) != rows) {
                throw shape(tensor, "the configuration says " + rows + " rows: " + String.join(" + ", rule.rowsOf()));
            }
        });
        Tensor whole = tensor.whole();
        List<String> targets = targets(match, valueModel);
        List<List<Rows>> rows = switch (rule.rows()) {
            case WHOLE -> List.of(List.of());
            case GATE_UP -> halves(tensor);
            case QUERY_GROUPS -> queryGroups(tensor);
            case VOCABULARY -> {
                boolean oneRow = valueModel && rule.oneRow().isPresent();
                yield List.of(oneRow ? List.of() : List.of(new Rows(0, vocabulary.rows(tensor))));
            }
        };
        for (int i = 0; i < rows.size(); i++) {
            JoinedTensor joined = rows.get(i).isEmpty()
                    ? joined(tensor, rule, whole, pieces(tensor))
                    : joined(tensor, rule, RowsTensor.of(whole, rows.get(i)), pieces(tensor, rows.get(i), rule.rows()));
            if (results.put(targets.get(i), joined) != null) {
                throw new Fault(
                        Code.K4013,
                        tensor.name() + ": two tensors of the checkpoint become " + targets.get(i),
                        "the checkpoint holds a name in two spellings",
                        "check that model_type in config.json is right");
            }
        }
    }

    private static JoinedTensor joined(MegatronTensor tensor, Rule rule, Tensor whole, List<Piece> pieces) {
        List<String> meshDims = new ArrayList<>(tensor.meshDims());
        List<String> placements = new ArrayList<>(tensor.placements());
        long ways = tensor.ways(rule.rows() == Rule.RowOrder.GATE_UP ? 2 : 1);
        if (ways > 1) {
            meshDims.add("tp=" + ways);
            placements.add(placement(rule));
        }
        TensorSpec spec = whole.spec();
        return new JoinedTensor(
                whole,
                new Layout(
                        tensor.storedName(), tensor.name(), kind(rule), spec, meshDims, placements, pieces, List.of()));
    }

    private static String kind(Rule rule) {
        return switch (rule.rows()) {
            case WHOLE, VOCABULARY -> "Megatron";
            case GATE_UP -> "Megatron gate|up";
            case QUERY_GROUPS -> "Megatron query groups";
        };
    }

    private static String placement(Rule rule) {
        return switch (rule.tp()) {
            case SAME -> "Replicate";
            case ROWS, ROWS_OR_SAME -> "Shard(0)";
            case COLUMNS -> "Shard(1)";
        };
    }

    private static List<Piece> pieces(MegatronTensor tensor) {
        return tensor.parts().stream().map(Part::piece).toList();
    }

    private static List<Piece> pieces(MegatronTensor tensor, List<Rows> rows, Rule.RowOrder order) {
        List<Piece> pieces = new ArrayList<>();
        boolean rest = order == Rule.RowOrder.VOCABULARY;
        long at = 0;
        for (int i = 0; i < rows.size(); i++) {
            Rows range = rows.get(i);
            Optional<Piece.Part> name = order == Rule.RowOrder.QUERY_GROUPS
                    ? Optional.of(new Piece.Part("query group", i, rows.size()))
                    : Optional.empty();
            for (Part part : tensor.parts()) {
                part.piece(range.first(), range.count(), at, rest, name).ifPresent(pieces::add);
            }
            at += range.count();
        }
        return pieces;
    }

    private static List<List<Rows>> halves(MegatronTensor tensor) {
        long rows = tensor.spec().shape().dim(0);
        if (rows % 2 != 0) {
            throw shape(tensor, "an odd number of rows is no gate and up projection");
        }
        return List.of(List.of(new Rows(0, rows / 2)), List.of(new Rows(rows / 2, rows / 2)));
    }

    /// The rows of q, k and v. A group is `heads / groups` query heads, a key head and a value head.
    private List<List<Rows>> queryGroups(MegatronTensor tensor) {
        if (config.heads().isEmpty() || config.queryGroups().isEmpty()) {
            throw new Fault(
                    Code.K4010,
                    tensor.name() + ": the number of attention heads is not known",
                    "neither config.json nor the checkpoint says it",
                    "say where config.json is with: open … --sidecars DIR");
        }
        long heads = config.heads().get();
        long groups = config.queryGroups().get();
        Shape shape = tensor.spec().shape();
        if (heads % groups != 0) {
            throw shape(tensor, heads + " heads do not fall into " + groups + " query groups");
        }
        long rows = shape.dim(0);
        long allHeads = Math.addExact(heads, Math.multiplyExact(2, groups));
        long headDim = rows / allHeads;
        if (rows == 0
                || rows % allHeads != 0
                || config.headDim().filter(d -> d != headDim).isPresent()) {
            throw shape(
                    tensor,
                    "the configuration says " + heads + " heads and " + groups + " key and value heads"
                            + config.headDim().map(d -> " of " + d).orElse(""));
        }
        return queryGroups(heads, groups, headDim);
    }

    static List<List<Rows>> queryGroups(long heads, long groups, long headDim) {
        long queryRows = heads / groups * headDim;
        List<Rows> query = new ArrayList<>();
        List<Rows> key = new ArrayList<>();
        List<Rows> value = new ArrayList<>();
        for (long group = 0; group < groups; group++) {
            long start = group * (queryRows + 2 * headDim);
            query.add(new Rows(start, queryRows));
            key.add(new Rows(start + queryRows, headDim));
            value.add(new Rows(start + queryRows + headDim, headDim));
        }
        return List.of(query, key, value);
    }

    private static Fault shape(MegatronTensor tensor, String why) {
        return new Fault(
                Code.K3101,
                tensor.name() + " is " + tensor.spec(),
                why,
                "check that config.json belongs to this checkpoint");
    }
}
