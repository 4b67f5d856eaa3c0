package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Option;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.selector.Selector;
import dev.kintsugi.selector.Subject;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// The values of method options as they are typed.
///
///     VALUE    = SETTING | SETTING "," SETTING … | KEY "=" SETTING "," …
///     KEY      = MODEL | MODEL "@" SELECTOR | "@" SELECTOR
///     SETTING  = number | word | first ".." last | "[" number "," … "]"
///
/// Several settings without keys are one for each model where the option is a weight, else a gradient over
/// the layers. What is given with a selector goes before what is given without; of several that match, the
/// last one given counts.
final class FuseValues {
    private static final String ALL = "";

    private final Method method;
    private final List<String> models;
    private final StateDict first;
    private final Map<String, Given> given = new LinkedHashMap<>();

    /// What was said of one option; models by name, all of them under the empty name.
    private static final class Given {
        private final Map<String, Setting> plain = new LinkedHashMap<>();
        private final List<Special> exceptions = new ArrayList<>();

        /// A value for some tensors of one model or of all.
        private record Special(String model, Setting.Rule rule) {}
    }

    /// For `models` in their order; `first` has the tensors that selectors choose from.
    FuseValues(Method method, List<String> models, StateDict first) {
        this.method = method;
        this.models = List.copyOf(models);
        this.first = first;
    }

    /// Whether `option` was given, in whatever spelling.
    boolean has(String option) {
        return given.containsKey(canonical(option));
    }

    static String canonical(String option) {
        String name = option.replace('-', '_');
        return name.equals("weights") ? "weight" : name;
    }

    /// Takes `text` as a value of `option`. **Errors.** [Fault] `K7002` where it cannot be understood, `K1005`
    /// for a selector that chooses nothing.
    void add(String option, String text) {
        String name = canonical(option);
        Given values = given.computeIfAbsent(name, n -> new Given());
        List<String> items = split(text);
        boolean keyed = equalsAt(items.getFirst()) >= 0;
        if (items.stream().anyMatch(i -> equalsAt(i) >= 0 != keyed)) {
            throw bad(
                    "--" + option + " " + text,
                    "some of its values say whose they are, some do not",
                    "name a model for each, and put lists in brackets: a=[0.2,0.5],b=0.3");
        }
        if (keyed) {
            items.forEach(item -> keyed(option, item, values));
        } else if (items.size() == 1) {
            values.plain.put(ALL, setting(name, items.getFirst()));
        } else if (name.equals("weight")) {
            inOrder(option, text, items, values);
        } else {
            values.plain.put(ALL, Setting.parse("[" + String.join(",", items) + "]"));
        }
    }

    private void inOrder(String option, String text, List<String> items, Given values) {
        if (items.size() != models.size()) {
            throw bad(
                    "--" + option + " " + text + " has " + items.size() + " values for " + models.size() + " models",
                    "without names they are taken in the order of the models: " + String.join(", ", models),
                    "give one for each, or name them: --weights " + models.getFirst() + "=0.3; a gradient over the"
                            + " layers is written a..b or [a,b,c]");
        }
        for (int i = 0; i < items.size(); i++) {
            values.plain.put(models.get(i), setting("weight", items.get(i)));
        }
    }

    private void keyed(String option, String item, Given values) {
        int equals = equalsAt(item);
        String key = item.substring(0, equals).strip();
        Setting setting = setting(canonical(option), item.substring(equals + 1));
        if (models.contains(key)) {
            values.plain.put(key, setting);
            return;
        }
        Optional<String> model =
                models.stream().filter(m -> key.startsWith(m + "@")).findFirst();
        boolean selector = key.startsWith("@") || key.chars().anyMatch(c -> "*{:!".indexOf(c) >= 0);
        if (model.isEmpty() && (!selector || key.indexOf('@') > 0)) {
            String said = key.replaceFirst("@.*", "");
            throw bad(
                    "--" + option + " " + item + ": no model of this fusion is named " + said,
                    "they are " + String.join(", ", models),
                    Nearest.to(said, models, 1).stream()
                            .findFirst()
                            .map(n -> "did you mean " + n + "?")
                            .orElse("tensors are chosen with @, as in @layers.0.**=0.5"));
        }
        String chosen =
                model.map(m -> key.substring(m.length() + 1)).orElse(key.startsWith("@") ? key.substring(1) : key);
        values.exceptions.addFirst(new Given.Special(model.orElse(ALL), rule(chosen, setting)));
    }

    private Setting.Rule rule(String text, Setting value) {
        Predicate<String> matches = tensors(List.of(text), first);
        return new Setting.Rule(text, matches, value);
    }

    /// The names that `terms` choose of `tensors`. **Errors.** [Fault] `K1005` if there is none.
    static Predicate<String> tensors(List<String> terms, StateDict tensors) {
        Selector selector = Selector.parse(terms);
        Predicate<String> matches = name -> tensors.has(name)
                && selector.test(Subject.of(name, tensors.tensor(name).spec()));
        if (tensors.names().stream().noneMatch(matches)) {
            List<String> near = Nearest.to(selector.toString(), tensors.names(), 3);
            throw new Fault(
                    Code.K1005,
                    "no tensor matches " + selector,
                    near.isEmpty()
                            ? "there are " + tensors.size() + " tensors"
                            : "the nearest names are " + String.join(", ", near),
                    "list them with: tensors");
        }
        return matches;
    }

    private Setting setting(String option, String text) {
        if (option.equals("dim") && text.strip().equals("same")) {
            return Setting.of(Integer.MAX_VALUE);
        }
        Setting setting = Setting.parse(text);
        Optional<Option> known = method.findOption(option);
        if (setting instanceof Setting.Text word
                && known.filter(o -> o.kind() != Option.Kind.WORD).isPresent()) {
            throw bad(
                    "--" + option.replace('_', '-') + " " + word.value() + ": no number",
                    known.get().help(),
                    known.get().kind() == Option.Kind.FLAG ? "write true or false" : "write a number, a..b or [a,b,c]");
        }
        return setting;
    }

    /// What holds for the model named `model` alone.
    Map<String, Setting> of(String model) {
        Map<String, Setting> settings = new LinkedHashMap<>();
        given.forEach((option, values) -> {
            boolean each = method.findOption(option).filter(Option::perModel).isPresent();
            List<Setting.Rule> rules = new ArrayList<>();
            for (Given.Special exception : values.exceptions) {
                if (exception.model().equals(model) || each && exception.model().equals(ALL)) {
                    rules.add(exception.rule());
                }
            }
            put(settings, option, rules, values.plain.get(model));
        });
        return settings;
    }

    /// What holds for all models.
    Map<String, Setting> shared() {
        Map<String, Setting> settings = new LinkedHashMap<>();
        given.forEach((option, values) -> {
            boolean each = method.findOption(option).filter(Option::perModel).isPresent();
            List<Setting.Rule> rules = new ArrayList<>();
            values.exceptions.stream()
                    .filter(e -> !each && e.model().equals(ALL))
                    .forEach(e -> rules.add(e.rule()));
            put(settings, option, rules, values.plain.get(ALL));
        });
        return settings;
    }

    private static void put(
            Map<String, Setting> settings, String option, List<Setting.Rule> rules, @Nullable Setting plain) {
        if (rules.isEmpty() && plain == null) {
            return;
        }
        if (rules.isEmpty()) {
            settings.put(option, Objects.requireNonNull(plain));
            return;
        }
        List<Setting.Rule> all = new ArrayList<>(rules);
        if (plain != null) {
            all.add(new Setting.Rule("**", name -> true, plain));
        }
        settings.put(option, new Setting.Filtered(all));
    }

    /// Where the key of `item` ends: its last `=` outside of brackets; -1 if it has none.
    private static int equalsAt(String item) {
        return item.lastIndexOf('=');
    }

    /// Splits at commas outside of brackets and braces.
    private static List<String> split(String text) {
        List<String> items = new ArrayList<>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
            if (c == ',' && depth == 0) {
                items.add(text.substring(from, i).strip());
                from = i + 1;
            }
        }
        items.add(text.substring(from).strip());
        return items;
    }

    private static Fault bad(String what, String why, String next) {
        return new Fault(Code.K7002, what, why, next);
    }
}
