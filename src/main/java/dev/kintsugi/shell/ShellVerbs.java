package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.util.List;

/// The verbs about the shell itself: `help`, `version`, `exit`, `history`, `set`.
final class ShellVerbs {
    private ShellVerbs() {}

    /// `help [COMMAND]`.
    static final class Help extends Verb {
        Help(Session session) {
            super(
                    session,
                    "help",
                    "shell",
                    "Lists the commands, or explains one",
                    "help merge",
                    List.of(Parameter.optional("COMMAND", ValueKind.COMMAND)));
        }

        @Override
        Status run(Invocation call) {
            if (!call.words().isEmpty() && call.word(0).equalsIgnoreCase(Safety.TOPIC)) {
                Safety.sheet().print(call.console());
                return Status.DONE;
            }
            if (!call.words().isEmpty()) {
                Verb verb = session().dispatcher().verb(call.word(0));
                HelpText.sheet(verb).print(call.console());
                return Status.DONE;
            }
            Sheet sheet = Sheet.of("help")
                    .rows("commands")
                    .column("command", "command")
                    .column("about", "about")
                    .column("group", "group")
                    .dataOnly();
            CommandPages.GROUPS.forEach((group, title) -> {
                List<Verb> verbs = session().dispatcher().verbs().stream()
                        .filter(v -> v.getGroup().equals(group))
                        .toList();
                verbs.forEach(v -> sheet.row(v.getName(), v.getDescription(), title));
            });
            sheet.below("")
                    .below("help COMMAND explains one, help safety the promises and limits; explain CODE an error;"
                            + " Tab completes; Ctrl-D leaves");
            sheet.print(call.console());
            return Status.DONE;
        }
    }

    /// `version`.
    static final class Version extends Verb {
        Version(Session session) {
            super(session, "version", "shell", "Tells which version this is", "version", List.of());
        }

        @Override
        Status run(Invocation call) {
            Sheet.of("version")
                    .fact("version", Release.VERSION)
                    .fact("java", Runtime.version().toString())
                    .line("kintsugi " + Release.VERSION + " (Java " + Runtime.version() + ")")
                    .print(call.console());
            return Status.DONE;
        }
    }

    /// `exit`.
    static final class Exit extends Verb {
        Exit(Session session) {
            super(session, "exit", "shell", "Leaves the shell, or ends the recipe", "exit", List.of());
        }

        @Override
        Status run(Invocation call) {
            session().leave();
            Sheet.of("exit").print(call.console());
            return Status.DONE;
        }
    }

    /// `history`.
    static final class History extends Verb {
        History(Session session) {
            super(session, "history", "shell", "Lists the lines typed so far", "history", List.of());
        }

        @Override
        Status run(Invocation call) {
            Sheet sheet = Sheet.of("history").rows("lines").number("number", "").column("line", "line");
            long number = 1;
            for (String line : session().history()) {
                sheet.row(number++, line);
            }
            sheet.print(call.console());
            return Status.DONE;
        }
    }

    /// `set [NAME VALUE]`.
    static final class Set extends Verb {
        Set(Session session) {
            super(
                    session,
                    "set",
                    "shell",
                    "Shows or changes the settings: threads, debug, and limits as limit.NAME",
                    "set threads 4",
                    List.of(Parameter.optional("NAME", ValueKind.TEXT), Parameter.optional("VALUE", ValueKind.TEXT)));
        }

        @Override
        String more() {
            return "threads is how many a command may use. debug is off, on (the trace of what failed) or timing"
                    + " (where the\n"
                    + "time of each command went, on standard error); for one start: kintsugi --debug timing COMMAND.";
        }

        @Override
        Status run(Invocation call) {
            if (call.words().size() == 2) {
                session().set(call.word(0), call.word(1));
            }
            Sheet sheet = Sheet.of("settings")
                    .rows("settings")
                    .column("name", "name")
                    .column("value", "value")
                    .row("debug", session().debug().word())
                    .row("threads", (long) session().threads());
            session().settings().entrySet().stream()
                    .filter(s -> s.getKey().startsWith(Limits.SETTING))
                    .forEach(s -> sheet.row(s.getKey(), s.getValue()));
            sheet.print(call.console());
            return Status.DONE;
        }
    }
}
