package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Kernel.Maker;
import dev.kintsugi.fusion.Method.Base;
import dev.kintsugi.selector.Nearest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Every way to fuse, by name.
public final class Methods {
    private static final int MANY = Integer.MAX_VALUE;
    private static final double INFINITE = Double.POSITIVE_INFINITY;
    private static final Option WEIGHT =
            Option.number("weight", 1, "how much of each model").eachModel();
    private static final Option LAMBDA = Option.number("lambda", 1, "factor of the whole change");
    private static final Option DENSITY = Option.number("density", 1, "share of each model's changes that is kept")
            .within(0, 1)
            .eachModel();
    private static final Option SEED = Option.number("seed", 0, "which random choice; the same seed, the same bytes");
    private static final Option T = Option.required("t", "0 is the base, 1 the other model");
    private static final Option INT8_MASK = Option.flag("int8_mask", false, "accepted and without effect on values");

    private static final Map<String, Method> BY_NAME = new LinkedHashMap<>();

    static {
        fundamental();
        spherical();
        taskVectors();
        selective();
    }

    private Methods() {}

    /// All methods, the most used first.
    public static List<Method> all() {
        return List.copyOf(BY_NAME.values());
    }

    /// The method spelled `name`, with dashes or underscores. **Errors.** [Fault] `K7001` if there is none.
    public static Method named(String name) {
        String canonical = name.strip().toLowerCase(Locale.ROOT).replace('_', '-');
        Method method = BY_NAME.get(canonical);
        if (method == null) {
            throw new Fault(
                    Code.K7001,
                    "there is no method " + name,
                    "the methods are " + String.join(", ", BY_NAME.keySet()),
                    Nearest.to(canonical, BY_NAME.keySet(), 1).stream()
                            .findFirst()
                            .map(n -> "did you mean " + n + "?")
                            .orElse("look at them with: methods"));
        }
        return method;
    }

    private static void add(
            String name, Base base, int least, int most, String formula, String use, Maker maker, Option... options) {
        BY_NAME.put(name, new Method(name, formula, use, base, least, most, List.of(options), maker));
    }

    private static void fundamental() {
        add(
                "concatenate",
                Base.NONE,
                1,
                MANY,
                "the models' tensors one after the other along dim",
                "shards whose placement metadata is missing or wrong",
                Concatenation.MAKER,
                Option.number("dim", 0, "the dim along which the tensors are laid end to end; −1 is the last"));
        Option normalize = Option.flag("normalize", true, "divide by the sum of the weights");
        add(
                "weighted-average",
                Base.NONE,
                1,
                MANY,
                "Σ w·x / Σ w",
                "runs of one ancestor whose average is better than each: seeds, steps, learning rates",
                Maker.each(Averages::linear),
                WEIGHT,
                normalize);
        add(
                "attention",
                Base.OPTIONAL,
                1,
                MANY,
                "Σ α·x, α ∝ w·(share of the change in this unit + ε)^(1/T)",
                "experts of different tasks, each keeping the units it specialised",
                AttentionPlan::open,
                attentionOptions());
        add(
                "linear",
                Base.NONE,
                1,
                MANY,
                "Σ w·x / Σ w",
                "the weighted average under its name in mergekit",
                Maker.each(Averages::linear),
                WEIGHT,
                normalize);
        add(
                "passthrough",
                Base.NONE,
                1,
                1,
                "scale·x",
                "stacking layers of several models, or scaling some",
                Maker.each(Averages::scaled),
                Option.optional("scale", "factor; without it the tensor comes unchanged")
                        .eachModel());
    }

    private static Option[] attentionOptions() {
        return new Option[] {
            Option.number("weight", 1, "prior of each expert")
                    .within(0, INFINITE)
                    .eachModel(),
            Option.number("temperature", 1, "0 takes the strongest expert, inf the mean")
                    .within(0, INFINITE),
            Option.number("speciality", 1, "1 looks at an expert's own change, 0 at its agreement with the others")
                    .within(0, 1),
            Option.number("floor", 1e-6, "share of the energy an idle expert counts with")
                    .within(Double.MIN_VALUE, INFINITE),
            Option.number("strength", 1, "0 gives the base, 1 the experts"),
            Option.word("granularity", "unit", "what shares attention: tensor, row, column, head or unit"),
            Option.word("scope", "model", "over what changes are scaled: model, tensors or none"),
            Option.optional("head_dim", "size of an attention head; without it q, k, v and o go by rows")
                    .within(1, 1 << 20),
            Option.optional("key_scale", "RMS of the expert's changes, instead of measuring it")
                    .within(0, INFINITE)
                    .eachModel()
        };
    }

    private static void spherical() {
        add(
                "slerp",
                Base.REQUIRED,
                1,
                1,
                "[sin((1−t)θ)·b + sin(tθ)·x] / sin θ, θ the angle of the tensors",
                "two models halfway without losing length",
                Maker.each(Spherical::slerp),
                T);
        add(
                "nuslerp",
                Base.OPTIONAL,
                2,
                2,
                "slerp of x₁ and x₂, or of d₁ and d₂, at w₂/(w₁+w₂)",
                "two models or their changes, one angle for the tensor or for each vector",
                Maker.each(Spherical::nuslerp),
                WEIGHT,
                Option.flag("nuslerp_flatten", true, "one angle for the tensor, not one for each vector"),
                Option.flag("nuslerp_row_wise", false, "vectors along the first axis, not along the last"));
        add(
                "multislerp",
                Base.OPTIONAL,
                1,
                MANY,
                "mean on the sphere around the mean direction, length Σ w‖x‖",
                "more than two models by direction",
                Maker.each(Spherical::multislerp),
                WEIGHT,
                Option.flag("normalize_weights", true, "weights sum to 1"),
                Option.number("eps", 1e-8, "added to lengths before dividing").within(0, 1));
        add(
                "karcher",
                Base.NONE,
                1,
                MANY,
                "Karcher mean of the directions, mean length",
                "the true spherical mean of equal models",
                Maker.each(Spherical::karcher),
                Option.number("max_iter", 10, "steps at most").within(0, 1_000_000),
                Option.number("tol", 1e-5, "shorter steps and tensors count as 0")
                        .within(0, 1));
        add(
                "model-stock",
                Base.REQUIRED,
                2,
                MANY,
                "t·mean(x) + (1−t)·b, t from the mean cosine of the d",
                "several fine-tunes of one base, nearer to the base the less they agree",
                Maker.each(Spherical::modelStock),
                Option.flag("filter_wise", false, "one t for each row"));
    }

    private static void taskVectors() {
        Option normalize = Option.flag("normalize", false, "divide by the sum of the weights");
        Option agreeing = Option.flag("normalize", true, "divide by the sum of the weights that agree");
        Option rescale = Option.flag("rescale", true, "give what is kept the L1 size of all");
        Option plain = Option.flag("rescale", false, "give what is kept the L1 size of all");
        Option epsilon = Option.number(
                        "epsilon", 0.15, "how far the least and the greatest of a row stray from density")
                .within(0, 1)
                .eachModel();
        Option gamma = Option.number("gamma", 0.01, "share of the greatest changes that is dropped")
                .within(0, 1)
                .eachModel();
        add(
                "task-arithmetic",
                Base.REQUIRED,
                1,
                MANY,
                "b + λ·Σ w·d",
                "adding up skills learned apart",
                Maker.each(Averages::taskArithmetic),
                WEIGHT,
                LAMBDA,
                normalize,
                Option.number("density", 1, "accepted and without effect").eachModel(),
                Option.flag("rescale", false, "accepted and without effect"),
                INT8_MASK);
        String elect = "b + λ·Σ w·d over the kept d whose sign wins";
        String sum = "b + λ·Σ w·d over the kept d";
        add(
                "ties",
                Base.REQUIRED,
                1,
                MANY,
                elect,
                "models that pull apart: small and outvoted changes are dropped",
                Maker.each(TaskVectors::ties),
                WEIGHT,
                DENSITY,
                agreeing,
                LAMBDA,
                plain,
                INT8_MASK);
        add(
                "dare-linear",
                Base.REQUIRED,
                1,
                MANY,
                sum + ", kept at random",
                "many redundant small changes",
                Maker.each(TaskVectors::dareLinear),
                WEIGHT,
                DENSITY,
                normalize,
                LAMBDA,
                rescale,
                SEED,
                INT8_MASK);
        add(
                "dare-ties",
                Base.REQUIRED,
                1,
                MANY,
                elect + ", kept at random",
                "as dare-linear where models pull apart",
                Maker.each(TaskVectors::dareTies),
                WEIGHT,
                DENSITY,
                normalize,
                LAMBDA,
                rescale,
                SEED,
                INT8_MASK);
        add(
                "della",
                Base.REQUIRED,
                1,
                MANY,
                elect + ", kept at random by rank in the row",
                "as dare-ties, larger changes being likelier to stay",
                Maker.each(TaskVectors::della),
                WEIGHT,
                DENSITY,
                epsilon,
                agreeing,
                LAMBDA,
                rescale,
                SEED,
                INT8_MASK);
        add(
                "della-linear",
                Base.REQUIRED,
                1,
                MANY,
                sum + ", kept at random by rank in the row",
                "as dare-linear, larger changes being likelier to stay",
                Maker.each(TaskVectors::dellaLinear),
                WEIGHT,
                DENSITY,
                epsilon,
                normalize,
                LAMBDA,
                rescale,
                SEED,
                INT8_MASK);
        add(
                "breadcrumbs",
                Base.REQUIRED,
                1,
                MANY,
                sum + ", neither the greatest nor the least",
                "models with outliers",
                Maker.each(TaskVectors::breadcrumbs),
                WEIGHT,
                DENSITY,
                gamma,
                normalize,
                LAMBDA,
                plain,
                INT8_MASK);
        add(
                "breadcrumbs-ties",
                Base.REQUIRED,
                1,
                MANY,
                elect + ", neither the greatest nor the least",
                "models with outliers that pull apart",
                Maker.each(TaskVectors::breadcrumbsTies),
                WEIGHT,
                DENSITY,
                gamma,
                normalize,
                LAMBDA,
                plain,
                INT8_MASK);
    }

    private static void selective() {
        Option epsilon =
                Option.number("epsilon", 1e-5, "smaller changes do not count").within(0, INFINITE);
        add(
                "sce",
                Base.REQUIRED,
                1,
                MANY,
                "b + Σ v·d / Σ v over the d whose sign wins, v the share of energy",
                "unequal experts, each weighed by how much it changed the tensor",
                Maker.each(Sce::of),
                Option.number("select_topk", 1, "share of the elements of greatest variance that is kept")
                        .within(0, 1),
                INT8_MASK);
        add(
                "ram",
                Base.REQUIRED,
                1,
                MANY,
                "b + the only change, or the mean of the changes",
                "reinforcement-learned experts with sparse changes",
                Maker.each(Elementwise::ram),
                epsilon);
        add(
                "ramplus-tl",
                Base.REQUIRED,
                1,
                MANY,
                "ram, unique changes times 1 + r·min(shared/unique, alpha)",
                "as ram, strengthening what only one expert learned",
                Maker.each(Elementwise::ramPlus),
                epsilon,
                Option.number("r", 0.1, "how much unique changes are strengthened"),
                Option.number("alpha", 0.2, "limit of shared/unique").within(0, INFINITE));
        add(
                "nearswap",
                Base.REQUIRED,
                1,
                1,
                "q·x + (1−q)·b, q = min(1, t/|b−x|)",
                "taking from another model only what is near",
                Maker.each(Elementwise::nearswap),
                Option.required("t", "how far from the base the other model's elements are taken whole"));
        add(
                "arcee-fusion",
                Base.REQUIRED,
                1,
                1,
                "x where |d|·KL(row) is an outlier, else b",
                "taking only the most important changes of one model",
                Maker.each(ArceeFusion::of));
    }
}
