package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.work.Job;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a person has open, and how the shell is set.
final class Session implements AutoCloseable {
    private final Console console;
    private final SequencedMap<String, Model> models = new LinkedHashMap<>();
    private final Map<String, Model> views = new ConcurrentHashMap<>();
    private final List<String> history = new ArrayList<>();
    private final Completions completions = new Completions(this);
    private final SequencedMap<String, String> settings = new TreeMap<>();
    private final SequencedMap<String, String> aliases = new TreeMap<>();
    private final Workspace workspace;
    private Map<String, String> variables = Map.of();
    private @Nullable String current;
    private @Nullable Dispatcher dispatcher;
    private volatile @Nullable Job running;
    private int threads = Runtime.getRuntime().availableProcessors();
    private volatile boolean cancelled;
    private Debug debug = Debug.OFF;
    private @Nullable Timing timing;
    private boolean leaving;

    Session(Console console, Places places) {
        this.console = console;
        this.workspace = new Workspace(this, places);
    }

    Console console() {
        return console;
    }

    Workspace workspace() {
        return workspace;
    }

    Completions completions() {
        return completions;
    }

    void dispatcher(Dispatcher owner) {
        dispatcher = owner;
    }

    Dispatcher dispatcher() {
        return Objects.requireNonNull(dispatcher);
    }

    /// The open models in the order in which they were opened.
    SequencedMap<String, Model> models() {
        return models;
    }

    void add(Model model) {
        if (models.containsKey(model.name())) {
            throw taken(model.name());
        }
        models.put(model.name(), model);
    }

    static Fault taken(String name) {
        return new Fault(
                Code.K1009,
                "a model named " + name + " is open",
                "every model has a name of its own",
                "give this one another with --as NAME, or close the other: close " + name);
    }

    /// A name that no open model has: `wanted`, or `wanted-2`, `wanted-3`, …
    String freeName(String wanted) {
        String name = wanted;
        for (int i = 2; models.containsKey(name); i++) {
            name = wanted + "-" + i;
        }
        return name;
    }

    void close(String name) {
        Model model = model(name);
        FusedModel.refuseIfUsed(model, this);
        if (models.remove(model.name()) == null) {
            throw new Fault(
                    Code.K1004,
                    model.name() + " is a view of a model, and closes with it",
                    "open are " + String.join(", ", models.keySet()),
                    "close the model: close " + name.replaceFirst("@[^@]*$|\\.optim$", ""));
        }
        String ranks = model.name() + "@";
        String optimizer = model.name() + OptimizerView.SUFFIX;
        views.keySet().removeIf(n -> n.startsWith(ranks));
        Optional.ofNullable(views.remove(optimizer)).ifPresent(Model::close);
        if (current != null
                && (current.equals(model.name()) || current.startsWith(ranks) || current.equals(optimizer))) {
            current = null;
        }
        model.close();
    }

    void use(String name) {
        current = model(name).name();
    }

    /// Makes `name` the model in use, or none.
    void use(Optional<String> name) {
        current = name.orElse(null);
    }

    Optional<String> current() {
        return Optional.ofNullable(current);
    }

    /// The model named `name`, or the rank view where it is spelled `NAME@RANK`.
    Optional<Model> find(String name) {
        return Optional.ofNullable(models.get(name))
                .or(() -> RankView.Reference.parse(name)
                        .filter(r -> r.rank().isPresent())
                        .flatMap(r -> Optional.ofNullable(models.get(r.model()))
                                .filter(m ->
                                        RankView.ranks(m).containsKey(r.rank().getAsInt()))
                                .map(m -> view(m, r.rank().getAsInt()))))
                .or(() -> optimizerOwner(name).map(this::optimizer));
    }

    /// The model whose optimizer `name` means, if it is spelled so.
    private Optional<Model> optimizerOwner(String name) {
        return name.endsWith(OptimizerView.SUFFIX)
                ? Optional.ofNullable(models.get(name.substring(0, name.length() - OptimizerView.SUFFIX.length())))
                : Optional.empty();
    }

    private Model optimizer(Model model) {
        String name = model.name() + OptimizerView.SUFFIX;
        Model known = views.get(name);
        if (known == null) {
            known = OptimizerView.of(model, this);
            views.put(name, known);
        }
        return known;
    }

    private Model view(Model model, int rank) {
        return views.computeIfAbsent(model.name() + "@" + rank, n -> RankView.of(model, rank));
    }

    /// Whether `word` means a model, or a rank of one even if there is no such rank.
    boolean names(String word) {
        return models.containsKey(word)
                || optimizerOwner(word).isPresent()
                || RankView.Reference.parse(word)
                        .filter(r -> models.containsKey(r.model()))
                        .isPresent();
    }

    /// The models named, `NAME@*` standing for all ranks of one. **Errors.** [Fault] `K1004`.
    List<Model> models(List<String> names) {
        List<Model> named = new ArrayList<>();
        for (String name : names) {
            Optional<RankView.Reference> all =
                    RankView.Reference.parse(name).filter(r -> r.rank().isEmpty() && models.containsKey(r.model()));
            if (all.isEmpty()) {
                named.add(model(name));
                continue;
            }
            Model whole = model(all.get().model());
            if (RankView.ranks(whole).isEmpty()) {
                throw RankView.noRank(whole, "*");
            }
            RankView.ranks(whole).keySet().forEach(rank -> named.add(view(whole, rank)));
        }
        return named;
    }

    private Optional<Fault> noRank(String name) {
        return RankView.Reference.parse(name)
                .filter(r -> models.containsKey(r.model()))
                .map(r -> {
                    Model whole = model(r.model());
                    return r.rank().isEmpty() && !RankView.ranks(whole).isEmpty()
                            ? oneOnly(whole)
                            : RankView.noRank(whole, name.substring(name.lastIndexOf('@') + 1));
                });
    }

    private static Fault oneOnly(Model whole) {
        return new Fault(
                Code.K1004,
                whole.name() + "@* is " + Counted.of(RankView.ranks(whole).size(), "model"),
                "one is needed here",
                "name a rank, as in " + whole.name() + "@"
                        + RankView.ranks(whole).firstEntry().getKey());
    }

    /// The model named `name`, a rank view included. **Errors.** [Fault] `K1004` with the nearest names or
    /// ranks.
    Model model(String name) {
        return find(name).orElseThrow(() -> noRank(name).orElseGet(() -> unknown(name)));
    }

    private Fault unknown(String name) {
        String rank = RankView.Reference.parse(name)
                .map(r -> name.substring(name.lastIndexOf('@')))
                .orElse("");
        String bare = name.substring(0, name.length() - rank.length());
        List<String> near = Nearest.to(bare, models.keySet(), 1);
        boolean path = Files.exists(Opening.path(name));
        String open = models.isEmpty() ? "none is open" : "open are " + String.join(", ", models.keySet());
        return new Fault(
                Code.K1004,
                "no model is named " + name,
                open,
                path
                        ? "open it first: open " + name
                        : near.isEmpty()
                                ? "open one: open PATH --as " + bare
                                : "did you mean " + near.getFirst() + rank + "?");
    }

    /// The model in use, or the only one. **Errors.** [Fault] `K1004` if there is no such model.
    Model model() {
        if (current != null) {
            return model(current);
        }
        if (models.size() == 1) {
            return models.firstEntry().getValue();
        }
        throw new Fault(
                Code.K1004,
                models.isEmpty()
                        ? "no model is open"
                        : "several models are open: " + String.join(", ", models.keySet()),
                models.isEmpty() ? "the command needs one" : "the command needs to know which",
                models.isEmpty()
                        ? "open PATH"
                        : "name one, or choose one with: use "
                                + models.firstEntry().getKey());
    }

    Optional<String> variable(String name) {
        return Optional.ofNullable(variables.get(name));
    }

    /// Runs `task` with these variables to insert, then restores those before.
    <T> T with(Map<String, String> values, Function<Session, T> task) {
        Map<String, String> before = variables;
        variables = values;
        try {
            return task.apply(this);
        } finally {
            variables = before;
        }
    }

    /// Runs a long job, with its progress shown and Ctrl-C cancelling it.
    <T> T work(String title, Function<Job, T> task) {
        Job job = new Job(threads);
        running = job;
        if (cancelled) {
            job.cancel();
        }
        long start = System.nanoTime();
        try (Progress progress = Progress.start(title, job, console)) {
            return job.doing(() -> task.apply(job));
        } finally {
            running = null;
            if (timing != null) {
                timing.add(title, job, start);
            }
        }
    }

    /// Does the same with values of `models`, whose files must be the same afterwards: a file written to while it
    /// is read gives values of two moments. **Errors.** [Fault] `K2401` if one changed.
    <T> T reading(String title, List<Model> models, Function<Job, T> task) {
        T result = work(title, task);
        models.forEach(Model::checkUnchanged);
        return result;
    }

    /// Begins a line: what was cancelled before does not concern it.
    void begin() {
        cancelled = false;
    }

    /// The job that runs now.
    Optional<Job> running() {
        return Optional.ofNullable(running);
    }

    /// Cancels the running job and those that the line would start yet.
    void cancel() {
        cancelled = true;
        Job job = running;
        if (job != null) {
            job.cancel();
        }
    }

    /// What `set` was told.
    SequencedMap<String, String> settings() {
        return settings;
    }

    /// Puts all settings in the place of those before. **Errors.** [Fault] `K1003` for one that there is not.
    void settings(Map<String, String> all) {
        if (settings.containsKey("threads")) {
            threads = Runtime.getRuntime().availableProcessors();
        }
        if (settings.containsKey("debug")) {
            debug = Debug.OFF;
        }
        resetLimits();
        settings.clear();
        all.forEach(this::set);
    }

    private void resetLimits() {
        settings.keySet().stream()
                .filter(s -> s.startsWith(Limits.SETTING))
                .forEach(s -> Limits.named(s.substring(Limits.SETTING.length())).reset());
    }

    /// Changes a setting. **Errors.** [Fault] `K1003` if there is none such, or `value` does not fit it.
    void set(String name, String value) {
        boolean number = value.matches("[1-9]\\d{0,2}");
        Optional<Debug> level = Debug.parse(value);
        if (name.equals("threads") && number) {
            threads = Integer.parseInt(value);
        } else if (name.equals("debug") && level.isPresent()) {
            debug = level.get();
        } else if (name.startsWith(Limits.SETTING)) {
            Limit limit = Limits.named(name.substring(Limits.SETTING.length()));
            limit.set(Limits.number(limit, value));
        } else {
            throw new Fault(
                    Code.K1003,
                    "set " + name + " " + value + ": no such setting or value",
                    "settings are threads (a number), debug (off, on, timing) and limit.NAME (a number)",
                    "write for example: set threads 4");
        }
        settings.put(name, value);
    }

    /// Words that stand for the beginnings of commands.
    SequencedMap<String, String> aliases() {
        return aliases;
    }

    int threads() {
        return threads;
    }

    void threads(int count) {
        threads = count;
    }

    /// Whether the trace of what failed is printed.
    boolean isDebugging() {
        return debug == Debug.ON;
    }

    Debug debug() {
        return debug;
    }

    void debug(Debug level) {
        debug = level;
    }

    /// Runs `command`, and prints where its time went if that is asked for when it begins. To the command that runs
    /// it, as `run` does, it is one step.
    <T> T timed(String command, Supplier<T> task) {
        if (debug != Debug.TIMING) {
            return task.get();
        }
        Timing outer = timing;
        Timing account = new Timing();
        timing = account;
        try {
            return task.get();
        } finally {
            timing = outer;
            account.print(command, console);
            if (outer != null) {
                outer.add(command, account);
            }
        }
    }

    boolean isLeaving() {
        return leaving;
    }

    void leave() {
        leaving = true;
    }

    List<String> history() {
        return history;
    }

    @Override
    public void close() {
        workspace.release();
        resetLimits();
        views.values().forEach(Model::close);
        views.clear();
        models.values().forEach(Model::close);
        models.clear();
    }
}
