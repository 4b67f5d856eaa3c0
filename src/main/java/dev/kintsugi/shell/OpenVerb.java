package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// `open PATH…`.
final class OpenVerb extends Verb {
    OpenVerb(Session session) {
        super(
                session,
                "open",
                "models",
                "Opens a checkpoint; several paths are parts of one, written on different hosts",
                "open docs/sample/actor --as actor",
                List.of(Parameter.several("PATH", ValueKind.PATH)),
                specs());
    }

    private static OptionSpec[] specs() {
        List<OptionSpec> specs = new ArrayList<>();
        specs.add(OptionSpec.value("as", "NAME", ValueKind.TEXT, "the model's name; else the directory's"));
        List<String> formats = new ArrayList<>(Checkpoints.formatNames());
        formats.addAll(List.of("table", "json", "csv"));
        specs.add(OptionSpec.choice("format", formats, "read it as this, instead of detecting it; or how to print"));
        specs.add(Opening.WAIT);
        specs.addAll(Opening.OPTIONS);
        return specs.toArray(OptionSpec[]::new);
    }

    @Override
    String more() {
        return Opening.ABOUT_WAIT;
    }

    @Override
    Status run(Invocation call) {
        List<Path> paths = call.words().stream().map(Opening::path).toList();
        call.value("as").ifPresent(name -> {
            Opening.checkName(name);
            if (session().models().containsKey(name)) {
                throw Session.taken(name);
            }
        });
        String name = call.value("as").orElseGet(() -> session().freeName(Opening.nameOf(paths.getFirst())));
        Optional<String> format =
                call.value("format").map(f -> f.toLowerCase(Locale.ROOT)).filter(Checkpoints.formatNames()::contains);
        OpenOptions options = Opening.options(call, format);
        Opening.await(call, paths);
        Checkpoint checkpoint = Opening.open(paths, options, session());
        OpenedModel model = new OpenedModel(name, command(call, name, format), checkpoint);
        session().add(model);
        ModelSheets.opened(model).print(call.console());
        return Status.DONE;
    }

    private static String command(Invocation call, String name, Optional<String> format) {
        StringBuilder text = new StringBuilder("open");
        call.words().forEach(w -> text.append(' ').append(Tokenizer.quote(w)));
        text.append(" --as ").append(name);
        format.ifPresent(f -> text.append(" --format ").append(f));
        for (OptionSpec option : Opening.OPTIONS) {
            if (option.isFlag() && call.has(option.name())) {
                text.append(" --").append(option.name());
            }
            if (!option.isFlag()) {
                call.values(option.name())
                        .forEach(v -> text.append(" --")
                                .append(option.name())
                                .append(' ')
                                .append(Tokenizer.quote(v)));
            }
        }
        return text.toString();
    }
}
