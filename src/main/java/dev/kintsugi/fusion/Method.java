package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import java.util.List;
import java.util.Optional;

/// A way to make one model of several.
///
/// `leastModels` and `mostModels` count the models without the base.
public final class Method {
    /// Whether a method works with a base model.
    public enum Base {
        NONE,
        OPTIONAL,
        REQUIRED
    }

    private final String name;
    private final String formula;
    private final String use;
    private final Base base;
    private final int leastModels;
    private final int mostModels;
    private final List<Option> options;
    private final Kernel.Maker maker;

    Method(
            String name,
            String formula,
            String use,
            Base base,
            int leastModels,
            int mostModels,
            List<Option> options,
            Kernel.Maker maker) {
        this.name = name;
        this.formula = formula;
        this.use = use;
        this.base = base;
        this.leastModels = leastModels;
        this.mostModels = mostModels;
        this.options = List.copyOf(options);
        this.maker = maker;
    }

    /// The name with dashes, as in `task-arithmetic`.
    public String name() {
        return name;
    }

    /// The formula in one line; `b` is the base, `x` the models, `d = x − b`, `w` the weights.
    public String formula() {
        return formula;
    }

    /// When to use it, in one sentence.
    public String use() {
        return use;
    }

    public Base base() {
        return base;
    }

    public int leastModels() {
        return leastModels;
    }

    public int mostModels() {
        return mostModels;
    }

    public List<Option> options() {
        return options;
    }

    /// The option spelled `spelling`, with dashes or underscores.
    public Optional<Option> findOption(String spelling) {
        String canonical = spelling.replace('-', '_');
        return options.stream().filter(o -> o.name().equals(canonical)).findFirst();
    }

    /// **Errors.** [Fault] `K7002` if the method has no such option.
    Option option(String spelling) {
        return findOption(spelling)
                .orElseThrow(() -> new Fault(
                        Code.K7002,
                        name + " has no option " + spelling,
                        options.isEmpty()
                                ? "it takes none"
                                : "it takes "
                                        + String.join(
                                                ", ",
                                                options.stream()
                                                        .map(Option::name)
                                                        .toList()),
                        Nearest.to(
                                        spelling.replace('-', '_'),
                                        options.stream().map(Option::name).toList(),
                                        1)
                                .stream()
                                .findFirst()
                                .map(n -> "did you mean " + n + "?")
                                .orElse("look at the options with: methods " + name)));
    }

    Kernel.Maker maker() {
        return maker;
    }

    @Override
    public String toString() {
        return name;
    }
}
