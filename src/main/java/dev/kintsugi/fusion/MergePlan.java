package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.MergeConfig.Slice;
import dev.kintsugi.fusion.MergeConfig.Source;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/// Turns a merge configuration and its opened models into fusions, one for each slice, and their result.
///
/// Layers of slices are numbered on; what comes before the layers is merged as the first slice, what comes
/// after as the last. A missing `lm_head.weight` is stood in for by the embedding where another model has
/// one.
public final class MergePlan {
    private static final String HEAD = "lm_head.weight";

    private final MergeConfig config;
    private final Map<String, StateDict> models;
    private final boolean cropVocabulary;
    private final Optional<TokenRows> tokens;

    private MergePlan(
            MergeConfig config, Map<String, StateDict> models, boolean cropVocabulary, Optional<TokenRows> tokens) {
        this.config = config;
        this.models = models;
        this.cropVocabulary = cropVocabulary;
        this.tokens = tokens;
    }

    /// Opens every model of `config` with `open`. With `cropVocabulary` embeddings and heads of different row
    /// counts are cut to the base's rows for methods that need a base and are no arcs, else to the fewest;
    /// without, such models are refused.
    public static MergePlan of(MergeConfig config, Function<String, StateDict> open, boolean cropVocabulary) {
        Map<String, StateDict> models = new LinkedHashMap<>();
        config.models().forEach(name -> models.put(name, open.apply(name)));
        boolean someHead = models.values().stream().anyMatch(m -> m.has(HEAD));
        if (someHead) {
            models.replaceAll((name, model) -> withHead(model));
        }
        return new MergePlan(config, models, cropVocabulary, Optional.empty());
    }

    /// The same with the embeddings and heads of all models turned into `rows` before they are merged.
    public MergePlan withTokens(TokenRows rows) {
        return new MergePlan(config, models, cropVocabulary, Optional.of(rows));
    }

    /// How many rows the token embedding of `model` has; 0 where it has none.
    public static long embeddingRows(StateDict model) {
        return model.tensors().entrySet().stream()
                .filter(e -> Layers.isTokenEmbedding(e.getKey(), e.getValue().spec()))
                .mapToLong(e -> e.getValue().spec().shape().dim(0))
                .findFirst()
                .orElse(0);
    }

    private static StateDict withHead(StateDict model) {
        Optional<Tensor> embedding = model.find("model.embed_tokens.weight").filter(e -> !model.has(HEAD));
        if (embedding.isEmpty()) {
            return model;
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>(model.tensors());
        tensors.put(HEAD, embedding.get());
        return StateDict.of(tensors);
    }

    /// The one fusion that a configuration of whole models is; nothing for slices.
    public Optional<Fusion> whole() {
        if (!config.wholeModels()) {
            return Optional.empty();
        }
        Map<String, StateDict> whole = cropVocabulary ? cropped() : withRows(models.keySet());
        Source first = config.slices().getFirst().sources().getFirst();
        return Optional.of(fusion(
                config.slices().getFirst(),
                source -> dict(whole, source),
                Layers.positions(dict(whole, first).names())));
    }

    /// The models `names` with the rows of the result's tokens, where those were given.
    private Map<String, StateDict> withRows(Collection<String> names) {
        if (tokens.isEmpty()) {
            return models;
        }
        SequencedMap<String, StateDict> chosen = new LinkedHashMap<>();
        names.forEach(name -> chosen.put(name, Objects.requireNonNull(models.get(name))));
        return tokens.get().over(chosen);
    }

    /// The merged model. **Errors.** [Fault] as [Fusion#fuse()].
    public StateDict fuse() {
        Optional<Fusion> whole = whole();
        if (whole.isPresent()) {
            return whole.get().fuse();
        }
        Map<String, Tensor> result = new LinkedHashMap<>();
        int firstLayer = 0;
        for (int i = 0; i < config.slices().size(); i++) {
            Slice slice = config.slices().get(i);
            boolean first = i == 0;
            boolean last = i == config.slices().size() - 1;
            int from = firstLayer;
            int count = slice.sources().getFirst().endLayer()
                    - slice.sources().getFirst().firstLayer();
            Map<String, StateDict> remade =
                    withRows(slice.sources().stream().map(Source::model).toList());
            StateDict fused = fusion(
                            slice,
                            source -> layersOf(dict(remade, source), source, from, first, last),
                            name -> place(Layers.mainLayer(name), from, count))
                    .fuse();
            result.putAll(fused.tensors());
            firstLayer += count;
        }
        return StateDict.of(result);
    }

    /// Of which layer of its first source each layer of the result is made; empty for whole models, whose
    /// layers stay what they are.
    public List<Integer> layerSources() {
        List<Integer> layers = new ArrayList<>();
        for (Slice slice : config.wholeModels() ? List.<Slice>of() : config.slices()) {
            Source first = slice.sources().getFirst();
            for (int layer = first.firstLayer(); layer < first.endLayer(); layer++) {
                layers.add(layer);
            }
        }
        return layers;
    }

    private static StateDict dict(Map<String, StateDict> models, Source source) {
        return Objects.requireNonNull(models.get(source.model()));
    }

    private static double place(OptionalInt layer, int from, int count) {
        if (layer.isEmpty()) {
            return 0;
        }
        return count == 1 ? 1 : (double) (layer.getAsInt() - from) / (count - 1);
    }

    /// The layers a slice takes of a model under their new numbers, with what surrounds them where it is
    /// first or last.
    private static StateDict layersOf(StateDict model, Source source, int from, boolean first, boolean last) {
        int layers = Layers.count(model.names());
        if (source.endLayer() > layers) {
            throw new Fault(
                    Code.K7006,
                    "layer_range [" + source.firstLayer() + ", " + source.endLayer() + ") of " + source.model(),
                    "that model has " + layers + " layers",
                    "give a range within [0, " + layers + ")");
        }
        return model.filter(name -> {
                    OptionalInt layer = Layers.mainLayer(name);
                    if (layer.isEmpty()) {
                        return Layers.isEmbedding(name) ? first : last;
                    }
                    return layer.getAsInt() >= source.firstLayer() && layer.getAsInt() < source.endLayer();
                })
                .rename(name -> {
                    OptionalInt layer = Layers.mainLayer(name);
                    return layer.isEmpty() ? name : Layers.inLayer(name, layer.getAsInt() - source.firstLayer() + from);
                });
    }

    private Fusion fusion(Slice slice, Function<Source, StateDict> dict, ToDoubleFunction<String> positions) {
        List<Input> inputs = new ArrayList<>();
        Optional<Input> base = Optional.empty();
        boolean takesBase = config.method().base() != Method.Base.NONE;
        for (Source source : slice.sources()) {
            Input input = new Input(source.model(), dict.apply(source), source.parameters());
            if (takesBase && config.baseModel().equals(Optional.of(source.model()))) {
                base = Optional.of(input);
            } else {
                inputs.add(input);
            }
        }
        if (config.baseModel().isPresent() && config.wholeModels() && base.isEmpty()) {
            Source source = new Source(config.baseModel().get(), 0, 0, Map.of());
            if (takesBase) {
                base = Optional.of(Input.of(source.model(), dict.apply(source)));
            } else if (inputs.stream().noneMatch(i -> i.name().equals(source.model()))) {
                inputs.add(Input.of(source.model(), dict.apply(source)));
            }
        }
        checkWeights(inputs);
        List<Map<String, Setting>> levels = List.of(slice.parameters(), config.parameters());
        Optional<StateDict> rest = base.map(Input::model);
        Optional<DType> dtype = config.dtype().or(() -> rest.flatMap(MergePlan::onlyFloat));
        return new Fusion(
                config.method(), inputs, base, levels, name -> true, rest, dtype, Optional.of(positions), false);
    }

    /// The one floating point dtype of a model, if it has only one.
    private static Optional<DType> onlyFloat(StateDict model) {
        List<DType> dtypes = model.tensors().values().stream()
                .map(t -> t.spec().dtype())
                .filter(DType::isFloat)
                .distinct()
                .toList();
        return dtypes.size() == 1 ? Optional.of(dtypes.getFirst()) : Optional.empty();
    }

    /// A configuration says each model's weight; none is guessed, but for attention, where it is what one
    /// believes before having looked.
    private void checkWeights(List<Input> inputs) {
        if (config.method().findOption("weight").isEmpty()
                || config.method().name().equals("attention")
                || config.parameters().containsKey("weight")) {
            return;
        }
        for (Input input : inputs) {
            boolean given = input.parameters().containsKey("weight")
                    || config.slices().stream().anyMatch(s -> s.parameters().containsKey("weight"));
            if (!given) {
                throw new Fault(
                        Code.K7006,
                        "the model " + input.name() + " has no weight",
                        config.method().name() + " needs one for each model",
                        "add parameters: {weight: 1.0} to it");
            }
        }
    }

    private Map<String, StateDict> cropped() {
        boolean arc =
                config.method().name().equals("slerp") || config.method().name().equals("nuslerp");
        boolean byBase = config.method().base() == Method.Base.REQUIRED && !arc;
        Map<String, Long> rows = new HashMap<>();
        models.forEach((name, model) -> model.tensors().forEach((tensor, value) -> {
            boolean decides = !byBase || config.baseModel().equals(Optional.of(name));
            if (Layers.isVocabulary(tensor, value.spec()) && decides) {
                rows.merge(tensor, value.spec().shape().dim(0), Math::min);
            }
        }));
        Map<String, StateDict> cropped = new LinkedHashMap<>();
        models.forEach((name, model) -> {
            Map<String, Tensor> tensors = new LinkedHashMap<>(model.tensors());
            tensors.replaceAll((tensor, value) -> {
                long wanted = rows.getOrDefault(tensor, Long.MAX_VALUE);
                return Layers.isVocabulary(tensor, value.spec())
                                && value.spec().shape().dim(0) > wanted
                        ? new CroppedTensor(value, wanted)
                        : value;
            });
            cropped.put(name, StateDict.of(tensors));
        });
        return cropped;
    }
}
