package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.validate.Finding;
import dev.kintsugi.validate.Validation;
import dev.kintsugi.validate.ValueEquality;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// `assert FACT`: turns a fact into a failure.
final class AssertVerb extends Verb {
    private static final Set<String> OPERATORS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final List<String> NUMBERS = List.of("tensors", "parameters", "bytes", "ranks");

    AssertVerb(Session session) {
        super(
                session,
                "assert",
                "recipes",
                "Fails unless a fact holds: a number (" + String.join(", ", NUMBERS) + "), finite, valid, equal A B",
                "assert tensors == 27\nassert finite\nassert equal actor base",
                List.of(Parameter.several("FACT", ValueKind.MODEL)));
    }

    @Override
    String more() {
        return "A model's name may come last; else the model in use is meant: assert bytes > 1000 actor";
    }

    @Override
    Status run(Invocation call) {
        List<String> words = call.words();
        switch (words.getFirst()) {
            case "finite" -> finite(model(words, 1));
            case "valid" -> valid(model(words, 1));
            case "equal" -> equal(words);
            default -> number(words);
        }
        Sheet.of("assert")
                .fact("fact", String.join(" ", words))
                .fact("holds", true)
                .line("holds: " + String.join(" ", words))
                .print(call.console());
        return Status.DONE;
    }

    private Model model(List<String> words, int index) {
        return words.size() > index
                ? session().model(words.get(index))
                : session().model();
    }

    private void finite(Model model) {
        HubModel hub = model.hub(HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS));
        List<Finding> found =
                session().reading("finite", List.of(model), job -> Validation.values(hub.tensors(), job)).stream()
                        .filter(f -> f.severity() == Finding.Severity.ERROR)
                        .toList();
        if (!found.isEmpty()) {
            throw failed(
                    model.name() + " is not finite: " + found.getFirst().subject() + ": "
                            + found.getFirst().what(),
                    "validate " + model.name() + " --data");
        }
    }

    private void valid(Model model) {
        HubModel hub = model.hub(HubOptions.defaults());
        List<Finding> errors = session()
                .work("validate", job -> Validation.run(hub, model.checkpoint(), false, job))
                .errors();
        if (!errors.isEmpty()) {
            throw failed(
                    model.name() + " is not valid: " + errors.getFirst().subject() + ": "
                            + errors.getFirst().what(),
                    "validate " + model.name());
        }
    }

    private void equal(List<String> words) {
        List<Model> models = session().models(words.subList(1, words.size()));
        if (models.size() < 2) {
            throw new Fault(
                    Code.K1003,
                    "assert equal needs two models",
                    Counted.of(models.size(), "model") + " named",
                    "write: assert equal A B, or for all ranks: assert equal A@*");
        }
        models.subList(1, models.size()).forEach(other -> equal(models.getFirst(), other));
    }

    private void equal(Model a, Model b) {
        Optional<String> difference = session()
                .reading("equal", List.of(a, b), job -> ValueEquality.firstDifference(a.tensors(), b.tensors(), job));
        if (difference.isPresent()) {
            throw failed(
                    a.name() + " and " + b.name() + " differ: " + difference.get(),
                    "validate " + a.name() + " --against " + b.name());
        }
    }

    private void number(List<String> words) {
        List<String> parts = new ArrayList<>(words);
        if (parts.size() < 3 || !NUMBERS.contains(parts.get(0)) || !OPERATORS.contains(parts.get(1))) {
            throw new Fault(
                    Code.K1003,
                    "assert " + String.join(" ", words) + ": no fact",
                    "facts are " + String.join(", ", NUMBERS) + " with == != < <= > >= and a number; finite; valid;"
                            + " equal A B",
                    "write for example: assert tensors == 27");
        }
        long wanted;
        try {
            wanted = Long.parseLong(parts.get(2).replace("_", "").replace(",", ""));
        } catch (NumberFormatException e) {
            throw new Fault(
                    Code.K1003, parts.get(2) + " is no number", "", "write for example: assert tensors == 27", e);
        }
        Model model = model(parts, 3);
        long found = fact(model, parts.get(0));
        int order = Long.compare(found, wanted);
        boolean holds = switch (parts.get(1)) {
            case "==" -> order == 0;
            case "!=" -> order != 0;
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
        if (!holds) {
            throw failed(
                    parts.get(0) + " of " + model.name() + " is " + Units.exact(found) + ", not " + parts.get(1) + " "
                            + Units.exact(wanted),
                    "info " + model.name());
        }
    }

    private static long fact(Model model, String name) {
        StateDict tensors = model.tensors();
        return switch (name) {
            case "tensors" -> tensors.size();
            case "parameters" -> tensors.elementCount();
            case "bytes" -> tensors.byteCount();
            default -> model.checkpoint().map(c -> c.worldSize()).orElse(1);
        };
    }

    private static Fault failed(String what, String next) {
        return new Fault(Code.K6003, what, "the assertion does not hold", "look with: " + next);
    }
}
