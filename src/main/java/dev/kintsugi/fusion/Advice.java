package dev.kintsugi.fusion;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// A way to fuse models that fits what a [Survey] found, and why.
///
/// The rules are few and stand in [#of(Survey)]; they come from how the methods behaved on models whose
/// changes were dense, weak, local or sparse, and they know nothing of what the models are for.
///
/// @param method the method's name; none where no method makes sense
/// @param options its options that are not at their defaults, as they are typed
/// @param reasons one sentence each
public record Advice(Optional<String> method, List<String> options, List<String> reasons) {
    /// Changes that point the same way.
    private static final double ALIKE = 0.5;

    /// Changes that share so few elements that they can be added up.
    private static final double APART = 0.2;

    /// A model that changed this much more than another drowns it in a mean.
    private static final double LOUDER = 2;

    /// The share of a group's energy by which one model owns it.
    private static final double OWNED = 0.8;

    /// Changes that pull against each other more than unrelated ones do.
    private static final double AT_ODDS = -0.1;

    /// Less shared than this, and the models changed different places more often than the same.
    private static final double ELSEWHERE = 0.5;

    /// Models that lie this far apart, as a share of their length, hardly descend from one.
    private static final double STRANGERS = 0.7;

    public Advice {
        options = List.copyOf(options);
        reasons = List.copyOf(reasons);
    }

    private static Advice to(String method, List<String> options, List<String> reasons) {
        return new Advice(Optional.of(method), options, reasons);
    }

    /// The first that fits: strangers are not fused; models alike are averaged; sparse changes that hardly
    /// meet are added up at half strength; models of unequal loudness, or that changed different places, get
    /// attention; models at odds get `ties`; others the mean.
    public static Advice of(Survey survey) {
        int models = survey.models().size();
        if (distance(survey) > STRANGERS) {
            return new Advice(
                    Optional.empty(),
                    List.of(),
                    List.of(
                            say(
                                    "the models lie about %.2f of their length apart, as unrelated ones do",
                                    distance(survey)),
                            survey.base().isPresent()
                                    ? "the base is not the model they were trained from, or they are not of one family"
                                    : "they do not seem to be trained from one model; if they are, name it with --base",
                            "any mean of unrelated models is noise"));
        }
        if (survey.base().isEmpty()) {
            return withoutBase(survey);
        }
        if (models == 1) {
            return to(
                    "slerp",
                    List.of("--t 0.5"),
                    List.of("there is one model and its base: halfway between them keeps what both have"));
        }
        Changes total = survey.total();
        if (silent(survey)) {
            return to(
                    "weighted-average",
                    List.of(),
                    List.of("a model equals the base in every element: name models that changed"));
        }
        if (total.meanCosine() > ALIKE) {
            return to(
                    "weighted-average",
                    List.of(),
                    List.of(
                            say("the changes point the same way (mean cosine %.2f)", total.meanCosine()),
                            "runs of one kind: their mean is a model of that kind with less noise"));
        }
        double sparsest = sparsest(survey);
        if (total.overlap() < APART && sparsest > 0.5) {
            return to(
                    "task-arithmetic",
                    List.of("--lambda 0.5"),
                    List.of(
                            say("each model left most elements alone (at least %.0f %%)", 100 * sparsest),
                            say("only %.0f %% of the changed elements are changed by two", 100 * total.overlap()),
                            "changes that do not meet can be added up; ram keeps them at full strength, which often is"
                                    + " too much"));
        }
        double louder = louder(total, models);
        long owned = survey.groups().stream().filter(g -> owner(g, models)).count();
        if (louder > LOUDER || owned * 2 >= survey.groups().size() || total.overlap() < ELSEWHERE) {
            return attention(survey, louder, owned);
        }
        if (total.meanCosine() < AT_ODDS) {
            return to(
                    "ties",
                    List.of("--density 0.5"),
                    List.of(
                            say("the changes pull against each other (mean cosine %.2f)", total.meanCosine()),
                            say("signs differ in %.0f %% of the shared elements", 100 * total.conflict()),
                            "small changes are dropped and signs elected before the rest is averaged"));
        }
        return to(
                "weighted-average",
                List.of(),
                List.of(
                        say("the changes are dense and about equally long (within a factor %.1f)", louder),
                        say("they neither agree nor fight (mean cosine %.2f)", total.meanCosine()),
                        "for such models no method was better than the mean; compare with"
                                + " task-arithmetic --lambda 0.5"));
    }

    private static Advice withoutBase(Survey survey) {
        int models = survey.models().size();
        double farthest = 0;
        for (int i = 0; i < models; i++) {
            farthest = Math.max(farthest, survey.total().relativeNorm(i));
        }
        String distance = say("the models lie up to %.3g of their length from their mean", farthest);
        if (models > 2) {
            return to(
                    "attention",
                    List.of(),
                    List.of(distance, "with three models or more the median stands in for the base"));
        }
        return to(
                "weighted-average",
                List.of(),
                List.of(distance, "without their base nobody can tell what each learned; give it with --base"));
    }

    private static Advice attention(Survey survey, double louder, long owned) {
        List<String> reasons = new ArrayList<>();
        if (louder > LOUDER) {
            reasons.add(say("one model changed %.1f times as much as another, which a mean would drown", louder));
        }
        if (owned > 0) {
            reasons.add(
                    owned + " of " + survey.groups().size() + " groups of tensors were changed by one model mostly");
        }
        if (survey.total().overlap() < ELSEWHERE) {
            reasons.add(say(
                    "only %.0f %% of the changed elements are changed by two",
                    100 * survey.total().overlap()));
        }
        reasons.add("attention scales the changes and listens in each unit to who changed it most");
        return to("attention", List.of(), reasons);
    }

    /// The mean over the elements of how far the farthest model lies, as a share of the length of its group.
    private static double distance(Survey survey) {
        double sum = 0;
        for (Changes group : survey.groups()) {
            double farthest = 0;
            for (int i = 0; i < survey.models().size(); i++) {
                farthest = Math.max(farthest, group.relativeNorm(i));
            }
            sum += farthest * group.elements();
        }
        return sum / Math.max(1, survey.total().elements());
    }

    private static boolean silent(Survey survey) {
        for (int i = 0; i < survey.models().size(); i++) {
            if (survey.total().norm(i) == 0) {
                return true;
            }
        }
        return false;
    }

    private static double sparsest(Survey survey) {
        double least = 1;
        for (int i = 0; i < survey.models().size(); i++) {
            least = Math.min(least, survey.total().sparsity(i));
        }
        return least;
    }

    private static double louder(Changes changes, int models) {
        double[] norms = new double[models];
        Arrays.setAll(norms, changes::norm);
        return Arrays.stream(norms).max().orElse(0) / Arrays.stream(norms).min().orElse(1);
    }

    private static boolean owner(Changes changes, int models) {
        double sum = 0;
        double most = 0;
        for (int i = 0; i < models; i++) {
            double energy = changes.norm(i) * changes.norm(i);
            sum += energy;
            most = Math.max(most, energy);
        }
        return most > OWNED * sum;
    }

    private static String say(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
