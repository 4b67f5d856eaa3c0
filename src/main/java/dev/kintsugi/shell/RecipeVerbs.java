package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The verbs about recipes: `run` and `check`.
final class RecipeVerbs {
    private static final OptionSpec SET =
            OptionSpec.many("set", "name=value", ValueKind.TEXT, "a parameter's value; may be given again");

    private RecipeVerbs() {}

    private static Map<String, String> given(Invocation call) {
        Map<String, String> given = new LinkedHashMap<>();
        for (String pair : call.values("set")) {
            int equals = pair.indexOf('=');
            if (equals <= 0) {
                throw new Fault(
                        Code.K1003,
                        "--set " + pair + ": no name=value",
                        "a parameter is set by name",
                        "write for example --set out=out/actor-hf");
            }
            given.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return given;
    }

    /// `run FILE.rsh`.
    static final class Run extends Verb {
        private int depth;

        Run(Session session) {
            super(
                    session,
                    "run",
                    "recipes",
                    "Runs a recipe: a command a line, stopping at the first that fails",
                    "run docs/recipes/quickstart.rsh",
                    List.of(Parameter.required("FILE.rsh", ValueKind.RECIPE)),
                    SET,
                    OptionSpec.flag(
                            "keep-going", "run the lines after a failure too; the first failure's status counts"));
        }

        @Override
        Status run(Invocation call) {
            Recipe recipe = Recipe.read(Opening.path(call.word(0)));
            Map<String, String> values = recipe.values(given(call));
            Limit.RECIPE_DEPTH.check(
                    depth + 1L, Code.K1006, () -> recipe.path() + ": recipes call each other, maybe without end");
            depth++;
            try (Console.Unpaged whole = call.console().unpaged()) {
                return session().with(values, s -> lines(recipe, call.has("keep-going")));
            } finally {
                depth--;
            }
        }

        private Status lines(Recipe recipe, boolean keepGoing) {
            Status first = Status.DONE;
            for (Recipe.Line line : recipe.lines()) {
                Status status = session().dispatcher().run(line.text());
                if (session().isLeaving()) {
                    return first == Status.DONE ? status : first;
                }
                if (status == Status.DONE) {
                    continue;
                }
                Console console = session().console();
                console.err()
                        .println(Escape.text(recipe.path() + ":" + line.number() + ": "
                                + (keepGoing ? "failed" : "stopped") + " (exit " + status.exitCode() + ", "
                                + status.meaning()
                                + ")"));
                console.err().flush();
                first = first == Status.DONE ? status : first;
                if (!keepGoing || status == Status.INTERRUPTED) {
                    return first;
                }
            }
            return first;
        }
    }

    /// `check FILE.rsh`.
    static final class Check extends Verb {
        Check(Session session) {
            super(
                    session,
                    "check",
                    "recipes",
                    "Checks a recipe's commands, options and parameters without touching a model",
                    "check docs/recipes/quickstart.rsh",
                    List.of(Parameter.required("FILE.rsh", ValueKind.RECIPE)),
                    SET);
        }

        @Override
        Status run(Invocation call) {
            Path path = Opening.path(call.word(0));
            Recipe recipe = Recipe.read(path);
            Map<String, String> values = new LinkedHashMap<>(given(call));
            recipe.parameters().forEach((name, fallback) -> {
                if (fallback.isEmpty()) {
                    values.putIfAbsent(name, "VALUE");
                }
            });
            Map<String, String> known = recipe.values(values);
            int wrong = 0;
            Map<String, String> aliases = Map.copyOf(session().aliases());
            List<Optional<Fault>> faults = session()
                    .with(
                            known,
                            s -> recipe.lines().stream()
                                    .map(line -> fault(line.text()))
                                    .toList());
            session().aliases().clear();
            session().aliases().putAll(aliases);
            for (int i = 0; i < faults.size(); i++) {
                Recipe.Line line = recipe.lines().get(i);
                Optional<Fault> fault = faults.get(i);
                if (fault.isPresent()) {
                    wrong++;
                    ErrorText.print(
                            fault.get().at(recipe.path() + ":" + line.number()),
                            call.console(),
                            session().isDebugging());
                }
            }
            Sheet.of("check")
                    .fact("recipe", path.toString())
                    .fact("lines", recipe.lines().size())
                    .fact("wrong", wrong)
                    .line(path + ": " + Counted.of(recipe.lines().size(), "command line") + ", "
                            + (wrong == 0 ? "nothing wrong" : Counted.of(wrong, "wrong one")))
                    .print(call.console());
            return wrong == 0 ? Status.DONE : Status.USAGE;
        }

        private Optional<Fault> fault(String line) {
            try {
                for (List<Tokenizer.Word> typed : Tokenizer.commands(line, session()::variable)) {
                    List<Tokenizer.Word> words = AliasVerb.expand(typed, session());
                    Verb verb = session().dispatcher().verb(words.getFirst().text());
                    Binder.Bound bound = Binder.bind(verb, words.subList(1, words.size()));
                    if (verb instanceof AliasVerb) {
                        AliasVerb.define(session(), bound.words());
                    }
                }
                return Optional.empty();
            } catch (Fault fault) {
                return Optional.of(fault);
            }
        }
    }
}
