package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.selector.Nearest;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import org.springframework.shell.core.InputReader;
import org.springframework.shell.core.command.CommandArgument;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.CommandOption;
import org.springframework.shell.core.command.CommandRegistry;
import org.springframework.shell.core.command.ExitStatus;
import org.springframework.shell.core.command.ParsedInput;

/// Runs lines: cuts them, finds the verb, binds its words, runs it, and says what went wrong.
final class Dispatcher {
    private final CommandRegistry registry;
    private final Session session;

    Dispatcher(CommandRegistry registry, Session session) {
        this.registry = registry;
        this.session = session;
    }

    /// Runs the commands of `line` one after the other until one does not end well.
    Status run(String line) {
        List<List<Tokenizer.Word>> commands;
        try {
            commands = Tokenizer.commands(line, session::variable);
        } catch (Fault fault) {
            return failed(fault);
        }
        for (List<Tokenizer.Word> command : commands) {
            Status status = runWords(command);
            if (status != Status.DONE || session.isLeaving()) {
                return status;
            }
        }
        return Status.DONE;
    }

    /// Runs one command that is already cut into words.
    Status runWords(List<Tokenizer.Word> words) {
        Status status = runGuarded(words);
        session.workspace().noteChange();
        return status;
    }

    private Status runGuarded(List<Tokenizer.Word> words) {
        OutputFormat before = session.console().format();
        try {
            return execute(words);
        } catch (Fault fault) {
            return failed(fault);
        } catch (UncheckedIOException e) {
            return failed(new Fault(
                    Code.K5002,
                    "an input or output error",
                    "the system says: " + e.getMessage(),
                    "check the disk and the permissions",
                    e));
        } catch (OutOfMemoryError e) {
            return failed(new Fault(
                    Code.K5005,
                    "the heap is full",
                    "the command needed more than the " + Runtime.getRuntime().maxMemory() / (1 << 20)
                            + " MB there are",
                    "give more with KINTSUGI_OPTS=-Xmx2g; if the file is damaged, lower a limit (help safety) to have"
                            + " it refused",
                    e));
        } catch (RuntimeException | StackOverflowError | InternalError e) {
            return failed(new Fault(
                    Code.K9001,
                    "something failed that should not: " + e,
                    "a bug of ours",
                    "run it again with --debug and send us what it prints",
                    e));
        } finally {
            session.console().format(before);
        }
    }

    private Status failed(Fault fault) {
        ErrorText.print(fault, session.console(), session.isDebugging());
        return fault.status();
    }

    private Status execute(List<Tokenizer.Word> typed) {
        List<Tokenizer.Word> words = AliasVerb.expand(typed, session);
        Verb verb = verb(words.getFirst().text());
        Binder.Bound bound = Binder.bind(verb, words.subList(1, words.size()));
        for (String format : bound.options().getOrDefault("format", List.of())) {
            Arrays.stream(OutputFormat.values())
                    .filter(f -> f.name().equalsIgnoreCase(format))
                    .findFirst()
                    .ifPresent(session.console()::format);
        }
        if (bound.options().containsKey("help")) {
            HelpText.sheet(verb).print(session.console());
            return Status.DONE;
        }
        ParsedInput.Builder input = ParsedInput.builder().commandName(verb.getName());
        for (int i = 0; i < bound.words().size(); i++) {
            input.addArgument(new CommandArgument(i, bound.words().get(i)));
        }
        bound.options()
                .forEach((name, values) -> values.forEach(value -> input.addOption(
                        CommandOption.with().longName(name).value(value).build())));
        ExitStatus status = session.timed(
                verb.getName(),
                () -> verb.execute(new CommandContext(
                        input.build(), registry, session.console().out(), NO_INPUT)));
        session.console().out().flush();
        return Arrays.stream(Status.values())
                .filter(s -> s.exitCode() == status.code())
                .findFirst()
                .orElse(Status.BUG);
    }

    /// Commands ask nothing while they run.
    private static final InputReader NO_INPUT = new InputReader() {};

    /// The verb named `name`, or whose alias it is. **Errors.** [Fault] `K1001` with the nearest names.
    Verb verb(String name) {
        return find(name).orElseThrow(() -> {
            List<String> near = Nearest.to(name, names(), 3);
            return new Fault(
                    Code.K1001,
                    "there is no command " + name,
                    near.isEmpty()
                            ? "commands are " + String.join(" ", names())
                            : "close to it: " + String.join(" ", near),
                    near.isEmpty() ? "see: help" : "did you mean " + near.getFirst() + "?");
        });
    }

    /// Adds a verb to those of the configuration.
    void add(Verb verb) {
        registry.registerCommand(verb);
    }

    Optional<Verb> find(String name) {
        String wanted = Aliases.resolve(name.toLowerCase(Locale.ROOT));
        return verbs().stream().filter(v -> v.getName().equals(wanted)).findFirst();
    }

    List<Verb> verbs() {
        List<Verb> verbs = new ArrayList<>();
        registry.getCommands().forEach(c -> {
            if (c instanceof Verb verb) {
                verbs.add(verb);
            }
        });
        verbs.sort(Comparator.comparing(Verb::getName));
        return verbs;
    }

    List<String> names() {
        TreeSet<String> names = new TreeSet<>();
        verbs().forEach(v -> names.add(v.getName()));
        return List.copyOf(names);
    }
}
