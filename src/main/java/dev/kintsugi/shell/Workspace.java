package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.shell.WorkspaceState.Entry;
import dev.kintsugi.shell.WorkspaceStore.Change;
import dev.kintsugi.shell.WorkspaceStore.Saved;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a person has open, as it is kept: noted after each command that changes it, and saved where a directory
/// is held.
///
/// A start opens nothing by itself. What the directory has is on offer until [#reopen()]; if something else is
/// opened first, it is put aside in `previous.json`. A model that cannot be made again stays in the workspace
/// as absent until it can, or is closed.
final class Workspace {
    private static final int MAX_CHANGES = 100;

    private final Session session;
    private final Places places;
    private final Map<Model, Entry> entries = new WeakHashMap<>();
    private final List<Change> changes = new ArrayList<>();
    private final List<Entry> absent = new ArrayList<>();
    private WorkspaceState known = WorkspaceState.EMPTY;
    private Map<String, String> usualSettings = Map.of();
    private Map<String, String> usualAliases = Map.of();
    private Optional<Saved> offered = Optional.empty();
    private @Nullable WorkspaceStore store;
    private long number;
    private boolean journalBegun;
    private boolean asideKept;
    private int paused;

    Workspace(Session session, Places places) {
        this.session = session;
        this.places = places;
    }

    Places places() {
        return places;
    }

    /// The directory it is saved in, if it is.
    Optional<Path> directory() {
        return Optional.ofNullable(store).map(WorkspaceStore::directory);
    }

    /// What the directory has and was not reopened.
    List<Entry> offered() {
        return offered.map(s -> s.state().models()).orElse(List.of());
    }

    /// Models that could not be made again.
    List<Entry> absent() {
        return absent.stream()
                .filter(e -> !session.models().containsKey(e.name()))
                .toList();
    }

    boolean isAbsent(String name) {
        return absent().stream().anyMatch(e -> e.name().equals(name));
    }

    /// Leaves an absent model out from now on; whether there was one named `name`.
    boolean forget(String name) {
        return absent.removeIf(e -> e.name().equals(name));
    }

    /// Everything as it is now.
    WorkspaceState state() {
        List<Entry> models = new ArrayList<>();
        for (Model model : session.models().values()) {
            models.add(entries.computeIfAbsent(model, m -> new Reopening(session).entry(m)));
        }
        models.addAll(absent());
        return new WorkspaceState(
                models,
                session.current(),
                own(session.settings(), usualSettings),
                own(session.aliases(), usualAliases));
    }

    /// What was told since the start, but for what looks like a secret.
    private static TreeMap<String, String> own(Map<String, String> values, Map<String, String> usual) {
        TreeMap<String, String> own = new TreeMap<>(values);
        own.entrySet()
                .removeIf(e ->
                        e.getValue().equals(usual.get(e.getKey())) || Secrets.mayHold(e.getKey() + " " + e.getValue()));
        return own;
    }

    /// Holds `directory` and takes its settings and aliases over; its models are on offer.
    ///
    /// Settings and aliases of before, as of an init file, stay and are not saved.
    /// **Errors.** [Fault] `K5002` where another shell holds it, `K2305` where it cannot be read.
    void begin(Path directory) {
        usualSettings = Map.copyOf(session.settings());
        usualAliases = Map.copyOf(session.aliases());
        Optional<Saved> saved = hold(directory);
        saved.ifPresent(this::took);
        offer(saved);
    }

    /// Takes settings and aliases of `saved` over. Where some do not fit, `saved` is kept aside, for the next change
    /// is saved without them.
    private void took(Saved saved) {
        if (!told(saved.state())) {
            saving(held -> held.keep(saved));
        }
    }

    /// Closes what is open, holds `directory` instead and makes what it has again. **Errors.** As [#begin].
    Status switchTo(Path directory) {
        Optional<Saved> saved = hold(directory);
        closeAll();
        told(WorkspaceState.EMPTY);
        saved.ifPresent(this::took);
        offer(saved);
        return reopen();
    }

    /// Closes what is open and makes what `saved` has again; saved where it is saved now, as one change.
    Status replaceBy(Saved saved) {
        closeAll();
        told(saved.state());
        absent.addAll(saved.state().models());
        Status status = reopen(absent(), saved.state().use());
        WorkspaceState now = state();
        if (!now.equals(known)) {
            record("workspace open", now);
        }
        offered = Optional.empty();
        return status;
    }

    /// Takes hold of `directory` and lets go of the one before; what it has.
    private Optional<Saved> hold(Path directory) {
        if (holds(directory)) {
            return WorkspaceStore.read(WorkspaceStore.file(directory));
        }
        WorkspaceStore held = taken(directory);
        try {
            Optional<Saved> saved = WorkspaceStore.read(WorkspaceStore.file(directory));
            release();
            store = held;
            return saved;
        } catch (Fault fault) {
            held.close();
            throw fault;
        }
    }

    /// Whether `directory` is held by this shell already, under whatever name.
    private boolean holds(Path directory) {
        try {
            return store != null && Files.exists(directory) && Files.isSameFile(store.directory(), directory);
        } catch (IOException e) {
            return false;
        }
    }

    private static WorkspaceStore taken(Path directory) {
        return WorkspaceStore.hold(directory)
                .orElseThrow(() -> new Fault(
                        Code.K5002,
                        directory + ": another shell uses this workspace",
                        "one shell at a time saves to it",
                        "leave the other, or save to a directory of your own: workspace save DIR"));
    }

    /// Settings and aliases of the start and of `state`; aliases that are not saved stay. Whether all of them fit:
    /// what does not, as of another version or another hand, is left out with a warning.
    private boolean told(WorkspaceState state) {
        session.settings(new TreeMap<>(usualSettings));
        session.aliases().entrySet().removeIf(e -> !Secrets.mayHold(e.getKey() + " " + e.getValue()));
        session.aliases().putAll(usualAliases);
        boolean fit = true;
        for (Map.Entry<String, String> setting : state.settings().entrySet()) {
            fit &= fits(() -> session.set(setting.getKey(), setting.getValue()));
        }
        for (Map.Entry<String, String> alias : state.aliases().entrySet()) {
            fit &= fits(() -> {
                AliasVerb.check(
                        session,
                        alias.getKey(),
                        alias.getValue(),
                        state.aliases().keySet());
                session.aliases().put(alias.getKey(), alias.getValue());
            });
        }
        return fit;
    }

    private boolean fits(Runnable taking) {
        try {
            taking.run();
            return true;
        } catch (Fault fault) {
            session.console().warn("left out of the workspace: " + fault.what() + "; " + fault.why());
            return false;
        }
    }

    private void offer(Optional<Saved> saved) {
        changes.clear();
        absent.clear();
        journalBegun = false;
        asideKept = false;
        known = state();
        number = saved.map(Saved::number).orElse(0L);
        offered = saved.filter(s -> !s.state().models().isEmpty());
        if (offered.isEmpty()) {
            takeJournal(number);
        }
    }

    private void takeJournal(long last) {
        if (store != null) {
            changes.clear();
            changes.addAll(store.journal(last));
        }
    }

    /// Notes what the command that just ended has changed.
    void noteChange() {
        if (paused > 0) {
            return;
        }
        absent.removeIf(e -> session.models().containsKey(e.name()));
        WorkspaceState now = state();
        if (!now.equals(known)) {
            record(known.changeTo(now), now);
        }
    }

    private void record(String what, WorkspaceState now) {
        number++;
        Change change = new Change(number, System.currentTimeMillis(), what, known);
        changes.add(change);
        if (changes.size() > MAX_CHANGES) {
            changes.removeFirst();
        }
        known = now;
        saving(held -> {
            if (offered.isPresent() && !asideKept) {
                held.keep(offered.get());
                asideKept = true;
            }
            if (journalBegun && number % MAX_CHANGES != 0) {
                held.append(change);
            } else {
                held.journal(changes);
                journalBegun = true;
            }
            held.save(saved());
        });
    }

    private Saved saved() {
        return new Saved(number, System.currentTimeMillis(), known);
    }

    private interface Saving {
        void with(WorkspaceStore held);
    }

    /// A workspace that cannot be saved does not keep anyone from working.
    private void saving(Saving task) {
        WorkspaceStore held = store;
        if (held == null) {
            return;
        }
        try {
            task.with(held);
        } catch (Fault fault) {
            journalBegun = false;
            session.console().warn("the workspace is not saved: " + fault.what() + "; " + fault.why());
        }
    }

    /// Makes what is on offer, or absent, again. The status is that of the first model that cannot be.
    Status reopen() {
        Optional<Saved> wanted = offered;
        List<Entry> again = new ArrayList<>(offered());
        again.addAll(absent());
        Status status = reopen(again, wanted.flatMap(s -> s.state().use()));
        WorkspaceState now = state();
        boolean asSaved =
                wanted.isPresent() && !asideKept && now.isLike(wanted.get().state());
        if (asSaved) {
            known = now;
            takeJournal(number);
            saving(held -> held.save(saved()));
        } else if (!now.equals(known)) {
            record("workspace open", now);
        }
        offered = Optional.empty();
        return status;
    }

    private Status reopen(List<Entry> again, Optional<String> use) {
        return paused(() -> {
            Status first = open(again);
            use.filter(name -> session.current().isEmpty() && session.find(name).isPresent())
                    .ifPresent(session::use);
            return first;
        });
    }

    private Status open(List<Entry> again) {
        Status first = Status.DONE;
        for (Entry entry : again) {
            if (session.models().containsKey(entry.name())) {
                session.console().note(entry.name() + " is open already");
                continue;
            }
            absent.removeIf(e -> e.name().equals(entry.name()));
            Status status = first == Status.INTERRUPTED ? first : new Reopening(session).reopen(entry);
            if (status != Status.DONE) {
                absent.add(entry);
                first = first == Status.DONE ? status : first;
            }
        }
        return first;
    }

    /// Closes all, the last first: it may be made of those before it.
    private void closeAll() {
        List.copyOf(session.models().sequencedKeySet().reversed()).forEach(session::close);
        absent.clear();
    }

    /// Holds `directory` from now on and saves to it.
    void saveTo(Path directory) {
        WorkspaceStore before = store;
        WorkspaceStore held = before != null && holds(directory) ? before : taken(directory);
        offered = Optional.empty();
        known = state();
        held.journal(changes);
        held.save(saved());
        journalBegun = true;
        if (held != before) {
            release();
            store = held;
        }
    }

    /// Takes the last change back; what it was, and how it went. **Errors.** [Fault] `K1003` if there is none.
    Undone undo() {
        if (changes.isEmpty()) {
            throw new Fault(
                    Code.K1003,
                    "there is nothing to take back",
                    "nothing was opened, closed or set",
                    "see what there is: workspace");
        }
        Change last = changes.getLast();
        Status status = paused(() -> restore(last.before()));
        changes.removeLast();
        number = last.number() - 1;
        known = state();
        saving(held -> held.save(saved()));
        return new Undone(last.what(), status);
    }

    /// A change that was taken back.
    record Undone(String what, Status status) {}

    private Status restore(WorkspaceState before) {
        List<Entry> now = state().models();
        for (Entry entry : now.reversed()) {
            if (before.models().stream().noneMatch(entry::isSameModel)) {
                closeOrForget(entry.name());
            }
        }
        told(before);
        Status status = open(before.models().stream()
                .filter(e -> now.stream().noneMatch(e::isSameModel))
                .toList());
        session.use(before.use().filter(name -> session.find(name).isPresent()));
        return status;
    }

    private void closeOrForget(String name) {
        if (session.models().containsKey(name)) {
            session.close(name);
        } else {
            forget(name);
        }
    }

    private <T> T paused(Supplier<T> task) {
        paused++;
        try {
            return task.get();
        } finally {
            paused--;
        }
    }

    /// The commands that make all of it again.
    List<String> commands() {
        WorkspaceState state = state();
        List<String> lines = new ArrayList<>();
        state.settings().forEach((name, value) -> lines.add("set " + name + " " + Tokenizer.quote(value)));
        state.aliases().forEach((name, text) -> lines.add("alias " + name + "=" + Tokenizer.quote(text)));
        state.models().forEach(e -> lines.add(e.command()));
        state.use().ifPresent(name -> lines.add("use " + name));
        return lines;
    }

    /// Lets go of the directory; it stays as it was saved.
    void release() {
        WorkspaceStore held = store;
        store = null;
        if (held != null) {
            held.close();
        }
    }
}
