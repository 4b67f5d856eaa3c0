package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// The verbs about what is open: `close`, `models`, `use`, `info`.
final class ModelVerbs {
    private ModelVerbs() {}

    /// `close NAME…`.
    static final class Close extends Verb {
        Close(Session session) {
            super(
                    session,
                    "close",
                    "models",
                    "Closes a model and lets go of its files",
                    "close actor",
                    List.of(Parameter.several("NAME", ValueKind.MODEL)));
        }

        @Override
        Status run(Invocation call) {
            List<String> open = call.words().stream()
                    .filter(name -> !session().workspace().isAbsent(name))
                    .toList();
            open.forEach(session()::model);
            call.words().forEach(session().workspace()::forget);
            ModelVerbs.close(open, session());
            Sheet.of("close").fact("closed", call.words()).print(call.console());
            return Status.DONE;
        }
    }

    /// Closes the models named, fusions before those they are made of.
    static void close(List<String> names, Session session) {
        names.forEach(session::model);
        List<String> order = new ArrayList<>(session.models().keySet());
        names.stream()
                .sorted(Comparator.comparingInt((String n) -> order.indexOf(n)).reversed())
                .forEach(session::close);
    }

    /// `models`.
    static final class Models extends Verb {
        Models(Session session) {
            super(session, "models", "models", "Lists the open models", "models", List.of());
        }

        @Override
        Status run(Invocation call) {
            ModelSheets.models(session()).print(call.console());
            return Status.DONE;
        }
    }

    /// `use NAME`.
    static final class Use extends Verb {
        Use(Session session) {
            super(
                    session,
                    "use",
                    "models",
                    "Makes a model the one that commands mean when they name none",
                    "use actor",
                    List.of(Parameter.required("NAME", ValueKind.MODEL)));
        }

        @Override
        Status run(Invocation call) {
            session().use(call.word(0));
            Sheet.of("use").fact("model", call.word(0)).print(call.console());
            return Status.DONE;
        }
    }

    /// `info [MODEL]`.
    static final class Info extends Verb {
        Info(Session session) {
            super(
                    session,
                    "info",
                    "look",
                    "Tells what a model is: source, sizes, sidecar files, what wrote it, how to open it again",
                    "info actor",
                    List.of(Parameter.optional("MODEL", ValueKind.MODEL)));
        }

        @Override
        Status run(Invocation call) {
            Model model = call.words().isEmpty() ? session().model() : session().model(call.word(0));
            ModelSheets.info(model).print(call.console());
            return Status.DONE;
        }
    }
}
