package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.selector.Nearest;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// What a person has open, and how the shell is set.
final class Session implements AutoCloseable {
    private final Console console;
    private final SequencedMap<String, Model> models = new LinkedHashMap<>();
    private final List<String> history = new ArrayList<>();
    private final Completions completions = new Completions(this);
    private Map<String, String> variables = Map.of();
    private @Nullable String current;
    private @Nullable Dispatcher dispatcher;
    private volatile @Nullable Job running;
    private int threads = Runtime.getRuntime().availableProcessors();
    private boolean debugging;
    private boolean leaving;

    Session(Console console) {
        this.console = console;
    }

    Console console() {
        return console;
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
        models.remove(model.name());
        if (model.name().equals(current)) {
            current = null;
        }
        model.close();
    }

    void use(String name) {
        current = model(name).name();
    }

    Optional<String> current() {
        return Optional.ofNullable(current);
    }

    Optional<Model> find(String name) {
        return Optional.ofNullable(models.get(name));
    }

    /// The model named `name`. **Errors.** [Fault] `K1004` with the nearest names.
    Model model(String name) {
        return find(name).orElseThrow(() -> {
            List<String> near = Nearest.to(name, models.keySet(), 1);
            String open = models.isEmpty() ? "none is open" : "open are " + String.join(", ", models.keySet());
            return new Fault(
                    Code.K1004,
                    "no model is named " + name,
                    open,
                    near.isEmpty() ? "open one: open PATH --as " + name : "did you mean " + near.getFirst() + "?");
        });
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
        try (Progress progress = Progress.start(title, job, console)) {
            return task.apply(job);
        } finally {
            running = null;
        }
    }

    /// Cancels the running job, if there is one.
    void cancel() {
        Job job = running;
        if (job != null) {
            job.cancel();
        }
    }

    int threads() {
        return threads;
    }

    void threads(int count) {
        threads = count;
    }

    boolean isDebugging() {
        return debugging;
    }

    void debugging(boolean on) {
        debugging = on;
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
        models.values().forEach(Model::close);
        models.clear();
    }
}
