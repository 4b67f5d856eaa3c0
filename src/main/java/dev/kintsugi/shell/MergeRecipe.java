package dev.kintsugi.shell;

import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.fusion.MergeConfig;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Option;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// A merge configuration of whole models as a line of `fuse`.
final class MergeRecipe {
    private final Fusion fusion;
    private final StringBuilder line = new StringBuilder("fuse ");
    private boolean faithful = true;

    private MergeRecipe(Fusion fusion) {
        this.fusion = fusion;
    }

    /// The line that makes the same model; nothing where no line does.
    static Optional<String> line(Fusion fusion, MergeConfig config, List<ParentModel> parents, String name) {
        boolean someHead = parents.stream().anyMatch(p -> p.tensors().has("lm_head.weight"));
        boolean allHeads = parents.stream().allMatch(p -> p.tensors().has("lm_head.weight"));
        if (someHead && !allHeads) {
            return Optional.empty();
        }
        MergeRecipe recipe = new MergeRecipe(fusion);
        recipe.write(config, name);
        return recipe.faithful ? Optional.of(recipe.line.toString()) : Optional.empty();
    }

    private void write(MergeConfig config, String name) {
        line.append(fusion.method().name());
        fusion.inputs().forEach(i -> line.append(' ').append(Tokenizer.quote(i.name())));
        line.append(" --as ").append(name);
        boolean takesBase = fusion.method().base() != Method.Base.NONE;
        if (takesBase && fusion.base().isPresent()) {
            String base = Tokenizer.quote(fusion.base().get().name());
            line.append(" --base ").append(base);
        }
        config.baseModel().ifPresent(b -> line.append(" --rest ").append(Tokenizer.quote(b)));
        fusion.dtype().map(DType::name).ifPresent(d -> line.append(" --dtype ").append(d.toLowerCase(Locale.ROOT)));
        for (Input input : fusion.inputs()) {
            input.parameters().forEach((option, setting) -> {
                clash(option, setting, config.parameters());
                write(option, input.name(), setting);
            });
        }
        config.parameters().forEach((option, setting) -> write(option, "", setting));
    }

    /// A model's own value goes before the exceptions for all models in a configuration, not in a line.
    private void clash(String option, Setting setting, Map<String, Setting> shared) {
        if (!(setting instanceof Setting.Filtered) && shared.get(option) instanceof Setting.Filtered) {
            faithful = false;
        }
        if (setting instanceof Setting.Filtered && shared.get(option) instanceof Setting.Filtered) {
            faithful = false;
        }
    }

    private void write(String option, String model, Setting setting) {
        boolean each =
                fusion.method().findOption(option).filter(Option::perModel).isPresent();
        if (!each && !model.isEmpty()) {
            faithful = false;
            return;
        }
        if (!(setting instanceof Setting.Filtered filtered)) {
            add(option, model.isEmpty() ? "" : model + "=", setting);
            return;
        }
        List<Setting.Rule> rules = new ArrayList<>();
        for (Setting.Rule rule : filtered.rules()) {
            rules.add(rule);
            if (rule.label().equals("*")) {
                break;
            }
        }
        for (Setting.Rule rule : rules.reversed()) {
            if (rule.label().equals("*")) {
                add(option, model.isEmpty() ? "" : model + "=", rule.value());
                continue;
            }
            faithful &= rule.label().matches("[A-Za-z0-9_.]+");
            boolean used = fusion.inputs().getFirst().model().names().stream().anyMatch(rule.matches());
            if (used) {
                add(option, model + "@**" + rule.label() + "**=", rule.value());
            }
        }
    }

    private void add(String option, String key, Setting value) {
        String text = switch (value) {
            case Setting.Number number -> number(number.value());
            case Setting.Text word -> word.value();
            case Setting.Gradient gradient ->
                "["
                        + String.join(
                                ",",
                                gradient.values().stream()
                                        .map(MergeRecipe::number)
                                        .toList()) + "]";
            case Setting.Filtered nested -> {
                faithful = false;
                yield nested.rules().toString();
            }
        };
        line.append(" --").append(option.replace('_', '-')).append(' ').append(Tokenizer.quote(key + text));
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? Long.toString((long) value)
                : Double.isInfinite(value) ? "inf" : Double.toString(value);
    }
}
