package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import dev.kintsugi.fusion.Option;
import java.util.List;

/// The verbs beside `fuse`: `methods` and `unfuse`.
final class MethodVerbs {
    private MethodVerbs() {}

    /// `methods [NAME]`.
    static final class Catalogue extends Verb {
        Catalogue(Session session) {
            super(
                    session,
                    "methods",
                    "fuse",
                    "Lists the ways to fuse, or one with its formula and options",
                    "methods\nmethods ties",
                    List.of(Parameter.optional("NAME", ValueKind.METHOD)));
        }

        @Override
        Status run(Invocation call) {
            Sheet sheet = call.words().isEmpty() ? all() : one(Methods.named(call.word(0)));
            sheet.print(call.console());
            return Status.DONE;
        }

        private static Sheet all() {
            Sheet sheet = Sheet.of("methods")
                    .rows("methods")
                    .column("method", "method")
                    .column("models", "models")
                    .column("base", "base")
                    .column("formula", "formula")
                    .column("use", "when");
            Methods.all().forEach(m -> sheet.row(m.name(), models(m), base(m), m.formula(), m.use()));
            return sheet.below("b is the base, x the models, d = x − b, w the weights; options: methods NAME");
        }

        private static Sheet one(Method method) {
            Sheet sheet = Sheet.of("method")
                    .fact("method", method.name())
                    .fact("formula", method.formula())
                    .fact("use", method.use())
                    .fact("models", models(method))
                    .fact("base", base(method))
                    .line(method.name() + "  " + method.formula())
                    .line("  when      " + method.use())
                    .line("  models    " + models(method) + ", base " + base(method))
                    .rows("options")
                    .column("option", "option")
                    .column("default", "default")
                    .column("range", "range")
                    .column("per_model", "per model")
                    .column("help", "what");
            method.options()
                    .forEach(o -> sheet.row(
                            "--" + o.name().replace('_', '-'),
                            o.fallback().orElse(o.required() ? "required" : ""),
                            range(o),
                            o.perModel() ? "yes" : "",
                            o.help()));
            return sheet;
        }

        private static String models(Method method) {
            if (method.leastModels() == method.mostModels()) {
                return Integer.toString(method.leastModels());
            }
            return method.leastModels() + (method.mostModels() == Integer.MAX_VALUE ? "+" : ".." + method.mostModels());
        }

        private static String base(Method method) {
            return switch (method.base()) {
                case NONE -> "none";
                case OPTIONAL -> "may be given";
                case REQUIRED -> "needed";
            };
        }

        private static String range(Option option) {
            return switch (option.kind()) {
                case FLAG -> "true, false";
                case WORD -> "";
                case NUMBER -> {
                    boolean free = Double.isInfinite(option.least()) && Double.isInfinite(option.most());
                    String least =
                            option.least() == Double.MIN_VALUE ? "above 0" : Numbers.text(option.least()) + " or more";
                    yield free
                            ? ""
                            : Double.isInfinite(option.most())
                                    ? least
                                    : Numbers.text(option.least()) + ".." + Numbers.text(option.most());
                }
            };
        }
    }

    /// `unfuse NAME…`.
    static final class Unfuse extends Verb {
        Unfuse(Session session) {
            super(
                    session,
                    "unfuse",
                    "fuse",
                    "Gives up a fusion; the models it is made of stay open",
                    "unfuse blend",
                    List.of(Parameter.several("NAME", ValueKind.MODEL)));
        }

        @Override
        Status run(Invocation call) {
            for (String name : call.words()) {
                if (!(session().model(name) instanceof FusedModel)) {
                    throw new Fault(
                            Code.K1003,
                            name + " is no fusion but an opened checkpoint",
                            "unfuse gives up fusions",
                            "close it with: close " + name);
                }
            }
            ModelVerbs.close(call.words(), session());
            Sheet.of("unfuse").fact("given_up", call.words()).print(call.console());
            return Status.DONE;
        }
    }
}
