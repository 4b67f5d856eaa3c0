package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.MeshOverride;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.Settling;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.selector.Selector;
import dev.kintsugi.tensor.Shape;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Opens checkpoints as `open` and `merge` ask for them.
final class Opening {
    static final List<OptionSpec> OPTIONS = List.of(
            OptionSpec.value("mesh", "2x4", ValueKind.TEXT, "the mesh to use instead of the one in the files"),
            OptionSpec.value("mesh-dim-names", "ddp,fsdp", ValueKind.TEXT, "names of its dims, outermost first"),
            OptionSpec.value("sidecars", "DIR", ValueKind.DIRECTORY, "where config.json and the tokenizer are"),
            OptionSpec.flag("allow-missing", "open what is there, though ranks are missing or damaged"),
            OptionSpec.value("iteration", "N", ValueKind.TEXT, "the training step, where a directory holds several"),
            OptionSpec.value("drop", "SEL", ValueKind.TEXT, "tensors to leave out though no rule names them"),
            OptionSpec.STRICT,
            OptionSpec.LIMIT);

    /// Of the verbs that open what a job may still be writing. It is not kept with a model, which is there by then.
    static final OptionSpec WAIT = OptionSpec.value(
            "wait", "TIME", ValueKind.TEXT, "open once no file there has changed for that long: 500ms, 30s, 5m, 1h");

    /// What a verb with [#WAIT] says of it.
    static final String ABOUT_WAIT = "--wait looks at names, sizes and times of the files at the path and below. It"
            + " does not know whether a job has\n"
            + "finished: one that pauses longer than TIME looks as if it had.";

    /// How a fault names the command that opens one of several.
    private static final String OPEN_ONE = ": open ";

    private static final Pattern TIME = Pattern.compile("([1-9]\\d{0,5})(ms|s|m|h)");

    private Opening() {}

    /// The options of `call`; `format` is the checkpoint's, if one was named.
    static OpenOptions options(Invocation call, Optional<String> format) {
        OpenOptions options = new OpenOptions(
                        format, mesh(call), call.value("sidecars").map(Opening::path), call.has("allow-missing"))
                .strict(call.has(OptionSpec.STRICT.name()));
        if (call.has("drop")) {
            Selector drop = Selector.parse(List.of(call.value("drop").orElse("")));
            options = options.dropping(drop::testName);
        }
        Optional<Long> iteration = call.number("iteration", 0);
        return iteration.isPresent() ? options.withIteration(iteration.get()) : options;
    }

    private static Optional<MeshOverride> mesh(Invocation call) {
        if (call.value("mesh").isEmpty()) {
            if (call.has("mesh-dim-names")) {
                throw new Fault(
                        Code.K1003,
                        "--mesh-dim-names without --mesh",
                        "names belong to dims",
                        "give the sizes too: --mesh 2x4 --mesh-dim-names ddp,fsdp");
            }
            return Optional.empty();
        }
        String text = call.value("mesh").get();
        if (!text.matches("[1-9]\\d{0,6}(x[1-9]\\d{0,6}){0,7}")) {
            throw new Fault(
                    Code.K1003,
                    "--mesh " + text + ": no mesh",
                    "a mesh is its sizes, outermost first, with x between them",
                    "write for example --mesh 2x4");
        }
        long[] dims =
                Arrays.stream(text.split("x", -1)).mapToLong(Long::parseLong).toArray();
        List<String> names =
                call.value("mesh-dim-names").map(n -> List.of(n.split(",", -1))).orElse(List.of());
        if (!names.isEmpty() && names.size() != dims.length) {
            throw new Fault(
                    Code.K1003,
                    "--mesh " + text + " has " + dims.length + " dims, --mesh-dim-names " + names.size(),
                    "each dim has a name",
                    "give as many names as sizes");
        }
        return Optional.of(new MeshOverride(Shape.of(dims), names));
    }

    /// A path as typed, `~` standing for the home directory.
    static Path path(String text) {
        String expanded =
                text.equals("~") || text.startsWith("~/") ? System.getProperty("user.home") + text.substring(1) : text;
        try {
            return Path.of(expanded);
        } catch (InvalidPathException e) {
            throw new Fault(Code.K1010, text + ": no path", e.getReason(), "check the path", e);
        }
    }

    /// The format that FSDP wrote at `paths`: rank files, or else a `torch.distributed.checkpoint` folder.
    static Optional<String> fsdpFormat(List<Path> paths) {
        return Optional.of(Checkpoints.holds(paths.getFirst(), "fsdp") ? "fsdp" : "dcp")
                .filter(f -> f.equals("fsdp") || Checkpoints.holds(paths.getFirst(), "dcp"))
                .or(() -> Optional.of("fsdp"));
    }

    /// Opens what verl's flags name, `--backend` and `--local_dir`. `verb` is the command they were given to, `output`
    /// the flag that goes with them.
    ///
    /// **Errors.** As [Checkpoints#open]; where one of several has to be named, the next command is `verb`.
    static Checkpoint ofFlags(Invocation call, List<Path> sources, String verb, String output) {
        Optional<String> backend = call.value("backend").map(b -> b.toLowerCase(Locale.ROOT));
        Optional<String> format = backend.filter(b -> !b.equals("auto"))
                .flatMap(b -> b.equals("fsdp") ? fsdpFormat(sources) : Optional.of(b));
        try {
            return open(sources, options(call, format), call.session());
        } catch (Fault fault) {
            int at = fault.next().indexOf(OPEN_ONE);
            if (fault.code() != Code.K2002 || at < 0) {
                throw fault;
            }
            List<String> words = new ArrayList<>(List.of(verb));
            backend.ifPresent(b -> words.addAll(List.of("--backend", b)));
            words.addAll(List.of("--local_dir", fault.next().substring(at + OPEN_ONE.length())));
            call.value(output).ifPresent(o -> words.addAll(List.of("--" + output, o)));
            String command = words.stream().map(Tokenizer::quote).collect(Collectors.joining(" "));
            throw new Fault(fault.code(), fault.what(), fault.why(), "name one of them: " + command, fault);
        }
    }

    /// Waits as `--wait` asks for, if it does. A path that is not there is not waited for.
    static void await(Invocation call, List<Path> paths) {
        Optional<Duration> quiet = call.value(WAIT.name()).map(Opening::duration);
        if (quiet.isEmpty() || !paths.stream().allMatch(Files::exists)) {
            return;
        }
        String what = paths.stream().map(Path::toString).collect(Collectors.joining(", "));
        call.console()
                .note("waiting until no file of " + what + " has changed for "
                        + call.value(WAIT.name()).orElseThrow() + "; Ctrl-C cancels");
        call.session().work("wait", job -> {
            Settling.await(paths, quiet.get(), job);
            return paths;
        });
    }

    private static Duration duration(String text) {
        Matcher matcher = TIME.matcher(text);
        if (!matcher.matches()) {
            throw new Fault(
                    Code.K1003,
                    "--wait " + text + ": no time",
                    "a time is a whole number of 1 to 999999 and its unit: ms, s, m or h",
                    "write for example --wait 30s");
        }
        long number = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
    }

    /// Opens `paths` and says on the error stream what a person should know.
    static Checkpoint open(List<Path> paths, OpenOptions options, Session session) {
        Checkpoint checkpoint = session.work("open", job -> Checkpoints.open(paths, options, job));
        checkpoint.notes().stream().map(Note::text).forEach(session.console()::note);
        ignored(checkpoint).ifPresent(text -> session.console().note("ignored: " + text));
        return checkpoint;
    }

    /// Entries that are no part of the model, those that differ in a number only counted together.
    static Optional<String> ignored(Checkpoint checkpoint) {
        List<String> groups = new ArrayList<>();
        LinkedHashMap<String, Integer> counts = new LinkedHashMap<>();
        checkpoint.ignored().forEach(i -> counts.merge(i.replaceAll("rank_\\d+", "rank_*"), 1, Integer::sum));
        counts.forEach((name, count) -> groups.add(count == 1 ? name : name + " ×" + count));
        int more = groups.size() - 12;
        String text = String.join(", ", groups.subList(0, Math.min(12, groups.size())));
        return groups.isEmpty() ? Optional.empty() : Optional.of(more > 0 ? text + " and " + more + " more" : text);
    }

    /// A model's name from where it was opened: the last part of the path that says something.
    static String nameOf(Path path) {
        Path absolute = path.toAbsolutePath().normalize();
        String name = String.valueOf(absolute.getFileName()).replaceAll("[^A-Za-z0-9_.-]", "_");
        return name.isEmpty() || name.equals("null") || !Character.isLetter(name.charAt(0)) ? "model-" + name : name;
    }

    static void checkName(String name) {
        if (!name.matches("[A-Za-z][A-Za-z0-9_.-]*")) {
            throw new Fault(
                    Code.K1003,
                    "--as " + name + ": no name for a model",
                    "a name begins with a letter and has letters, digits, _ . -",
                    "write for example --as actor");
        }
    }
}
