package dev.kintsugi.shell;

import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Status;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.shell.core.command.Command;
import org.springframework.shell.core.command.CommandContext;
import org.springframework.shell.core.command.CommandOption;
import org.springframework.shell.core.command.ExitStatus;
import org.springframework.shell.core.command.completion.CompletionProposal;
import org.springframework.shell.core.command.completion.CompletionProvider;

/// A command of the shell: what it is called and takes, and how it runs.
abstract class Verb implements Command {
    static final OptionSpec FORMAT =
            OptionSpec.choice("format", List.of("table", "json", "csv"), "how the result is printed");
    static final OptionSpec HELP = OptionSpec.flag("help", "this text");

    private final Session session;
    private final String name;
    private final String group;
    private final String summary;
    private final String example;
    private final List<Parameter> parameters;
    private final List<OptionSpec> options;

    Verb(
            Session session,
            String name,
            String group,
            String summary,
            String example,
            List<Parameter> parameters,
            OptionSpec... options) {
        this.session = session;
        this.name = name;
        this.group = group;
        this.summary = summary;
        this.example = example;
        this.parameters = List.copyOf(parameters);
        List<OptionSpec> all = new ArrayList<>(List.of(options));
        if (all.stream().noneMatch(o -> o.name().equals("format"))) {
            all.add(FORMAT);
        }
        all.add(HELP);
        this.options = List.copyOf(all);
    }

    /// Runs the verb. **Errors.** [dev.kintsugi.fault.Fault] for everything a person can mend.
    abstract Status run(Invocation call);

    /// More help, below the options; none by default.
    String more() {
        return "";
    }

    /// What the word at `position` may be, where that is one of a few; none by default.
    List<String> choices(int position) {
        return List.of();
    }

    @Override
    public final String getName() {
        return name;
    }

    @Override
    public final String getGroup() {
        return group;
    }

    @Override
    public final String getDescription() {
        return summary;
    }

    @Override
    public final String getHelp() {
        return HelpText.of(this);
    }

    final String example() {
        return example;
    }

    final List<Parameter> parameters() {
        return parameters;
    }

    final List<OptionSpec> options() {
        return options;
    }

    final Session session() {
        return session;
    }

    @Override
    public final List<CommandOption> getOptions() {
        return options.stream()
                .map(o -> CommandOption.with()
                        .longName(o.name())
                        .description(o.help())
                        .required(false)
                        .type(o.isFlag() ? Boolean.class : String.class)
                        .build())
                .toList();
    }

    @Override
    public final CompletionProvider getCompletionProvider() {
        return context -> session.completions().of(this, context.getWords()).stream()
                .map(c -> new CompletionProposal(c.value()).description(c.description()))
                .toList();
    }

    /// Runs it with the words that the dispatcher bound.
    @Override
    public final ExitStatus execute(CommandContext context) {
        List<String> words =
                context.parsedInput().arguments().stream().map(a -> a.value()).toList();
        Map<String, List<String>> values = new LinkedHashMap<>();
        for (CommandOption option : context.parsedInput().options()) {
            values.computeIfAbsent(option.longName(), n -> new ArrayList<>()).add(option.value());
        }
        Invocation call = new Invocation(words, values, session);
        Status status = Limit.during(Limits.of(call.values(OptionSpec.LIMIT.name())), () -> run(call));
        return new ExitStatus(status.exitCode(), status.name());
    }
}
