package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/// The options that hold for one tensor: of the model, else of the fusion, else the method's default.
final class Parameters {
    private final Method method;
    private final List<Input> inputs;
    private final List<Map<String, Setting>> levels;
    private final String tensor;
    private final double position;

    /// `levels` are asked in order, after a model's own options; `position` is the tensor's place among the
    /// layers.
    Parameters(Method method, List<Input> inputs, List<Map<String, Setting>> levels, String tensor, double position) {
        this.method = method;
        this.inputs = inputs;
        this.levels = levels;
        this.tensor = tensor;
        this.position = position;
    }

    /// Checks every value given. **Errors.** [Fault] `K7002` for one that is no number or out of range.
    void check() {
        for (Option option : method.options()) {
            if (option.kind() == Option.Kind.WORD) {
                word(option.name());
            } else if (option.perModel()) {
                for (int i = 0; i < inputs.size(); i++) {
                    numberIfGiven(i, option.name());
                }
            } else {
                numberIfGiven(option.name());
            }
        }
    }

    double number(String option) {
        return numberIfGiven(option).orElseThrow(() -> missing(option, ""));
    }

    boolean flag(String option) {
        return number(option) != 0;
    }

    OptionalDouble numberIfGiven(String option) {
        return checked(option, find(option, levels));
    }

    /// The option for one model.
    double number(int model, String option) {
        return numberIfGiven(model, option)
                .orElseThrow(() -> missing(option, " for " + inputs.get(model).name()));
    }

    OptionalDouble numberIfGiven(int model, String option) {
        List<Map<String, Setting>> all = new ArrayList<>();
        all.add(inputs.get(model).parameters());
        all.addAll(levels);
        return checked(option, find(option, all));
    }

    double[] numbers(String option) {
        double[] values = new double[inputs.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = number(i, option);
        }
        return values;
    }

    String word(String option) {
        return switch (find(option, levels)
                .orElse(new Setting.Text(method.option(option).fallback().orElse("")))) {
            case Setting.Text text -> text.value().replace('_', '-');
            case Setting other ->
                throw new Fault(
                        Code.K7002, option + " is a word, not " + other, "the method " + method.name(), "help methods");
        };
    }

    private Optional<Setting> find(String option, List<Map<String, Setting>> places) {
        for (Map<String, Setting> place : places) {
            Optional<Setting> found =
                    Optional.ofNullable(place.get(option)).flatMap(setting -> setting.at(tensor, position));
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    private OptionalDouble checked(String name, Optional<Setting> found) {
        Option option = method.option(name);
        Optional<Setting> value = found.or(() -> option.fallback().map(Setting::parse));
        if (value.isEmpty()) {
            return OptionalDouble.empty();
        }
        if (!(value.get() instanceof Setting.Number(double number)) || Double.isNaN(number)) {
            throw new Fault(
                    Code.K7002,
                    name + " of " + method.name() + " is a number, not " + value.get(),
                    option.help(),
                    "give a number");
        }
        if (number < option.least() || number > option.most()) {
            throw new Fault(
                    Code.K7002,
                    name + "=" + number + " for " + tensor + " lies outside " + option.least() + " to " + option.most(),
                    option.help(),
                    "give a number in that range");
        }
        return OptionalDouble.of(number);
    }

    private Fault missing(String option, String whom) {
        return new Fault(
                Code.K7002,
                method.name() + " needs " + option + whom + " (tensor " + tensor + ")",
                method.option(option).help(),
                "give it with --" + option.replace('_', '-'));
    }
}
