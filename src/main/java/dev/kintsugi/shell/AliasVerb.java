package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// `alias [NAME[='COMMAND']]`.
final class AliasVerb extends Verb {
    AliasVerb(Session session) {
        super(
                session,
                "alias",
                "shell",
                "Lists the aliases, or makes NAME stand for the beginning of a command",
                "alias ll='tensors --all'",
                List.of(Parameter.optional("NAME='COMMAND'", ValueKind.TEXT)));
    }

    @Override
    String more() {
        return "Only the first word of a command is an alias. alias NAME= takes one away.";
    }

    @Override
    Status run(Invocation call) {
        if (define(session(), call.words())) {
            Sheet.of("alias").fact("defined", call.word(0)).print(call.console());
            return Status.DONE;
        }
        Sheet sheet = Sheet.of("aliases").rows("aliases").column("name", "name").column("command", "command");
        Map<String, String> aliases = session().aliases();
        if (!call.words().isEmpty() && !aliases.containsKey(call.word(0))) {
            throw new Fault(
                    Code.K1003,
                    "there is no alias " + call.word(0),
                    aliases.isEmpty() ? "there is none" : "there are " + String.join(", ", aliases.keySet()),
                    "make one with: alias " + call.word(0) + "='COMMAND'");
        }
        aliases.forEach((name, text) -> {
            if (call.words().isEmpty() || name.equals(call.word(0))) {
                sheet.row(name, text);
            }
        });
        sheet.print(call.console());
        return Status.DONE;
    }

    /// Defines what `words` define, if they do. **Errors.** As below.
    static boolean define(Session session, List<String> words) {
        int equals = words.isEmpty() ? -1 : words.getFirst().indexOf('=');
        if (equals < 0) {
            return false;
        }
        define(session, words.getFirst().substring(0, equals), words.getFirst().substring(equals + 1));
        return true;
    }

    /// Makes `name` stand for `text`; for nothing if `text` is empty. **Errors.** As of [#check].
    private static void define(Session session, String name, String text) {
        if (text.isBlank()) {
            checkName(session, name);
            session.aliases().remove(name);
            return;
        }
        check(session, name, text, session.aliases().keySet());
        session.aliases().put(name, text);
        if (Secrets.mayHold(name + " " + text)
                && session.workspace().directory().isPresent()) {
            session.console().note("the alias is not saved: it may hold a secret");
        }
    }

    /// Checks that `name` may stand for `text`, where `others` are the aliases beside it.
    ///
    /// **Errors.** [Fault] `K1003` for a name that is none, `K1009` for a command's, `K1006` where `text` is
    /// not one command, `K1001` where its command is unknown.
    static void check(Session session, String name, String text, Set<String> others) {
        checkName(session, name);
        List<List<Tokenizer.Word>> commands = Tokenizer.commands(text, v -> Optional.of("$" + v));
        if (commands.size() != 1) {
            throw new Fault(
                    Code.K1006,
                    "alias " + name + ": " + Counted.of(commands.size(), "command"),
                    "an alias stands for the beginning of one",
                    "write several commands as a recipe, and an alias for: run FILE.rsh");
        }
        String first = commands.getFirst().getFirst().text();
        if (!others.contains(first)) {
            session.dispatcher().verb(first);
        }
    }

    private static void checkName(Session session, String name) {
        if (!name.matches("[A-Za-z][A-Za-z0-9_-]*")) {
            throw new Fault(
                    Code.K1003,
                    "alias " + name + ": no name for an alias",
                    "a name begins with a letter and has letters, digits, _ -",
                    "write for example: alias ll='tensors --all'");
        }
        if (session.dispatcher().find(name).isPresent()) {
            throw new Fault(
                    Code.K1009,
                    "alias " + name + ": there is a command of that name",
                    "a recipe that says " + name + " means the command",
                    "take another name");
        }
    }

    /// `words`, the first replaced by what it stands for. **Errors.** [Fault] `K1006` if that never ends.
    static List<Tokenizer.Word> expand(List<Tokenizer.Word> words, Session session) {
        Set<String> seen = new HashSet<>();
        List<Tokenizer.Word> expanded = words;
        while (!expanded.getFirst().quoted()) {
            String name = expanded.getFirst().text();
            String text = session.aliases().get(name);
            if (text == null) {
                break;
            }
            if (!seen.add(name)) {
                throw new Fault(
                        Code.K1006,
                        "the alias " + name + " stands for itself",
                        "by way of " + String.join(", ", seen),
                        "take it away with: alias " + name + "=");
            }
            List<Tokenizer.Word> next =
                    new ArrayList<>(Tokenizer.commands(text, session::variable).getFirst());
            next.addAll(expanded.subList(1, expanded.size()));
            expanded = next;
        }
        return expanded;
    }
}
