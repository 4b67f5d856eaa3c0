package dev.kintsugi.shell;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.shell.WorkspaceState.Entry;
import dev.kintsugi.shell.WorkspaceStore.Saved;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Reports about workspaces.
final class WorkspaceSheets {
    private WorkspaceSheets() {}

    static Sheet show(Session session) {
        Workspace workspace = session.workspace();
        WorkspaceState state = workspace.state();
        Sheet sheet = Sheet.of("workspace")
                .fact("directory", workspace.directory().map(Path::toString).orElse(""))
                .fact("use", state.use().orElse(""))
                .fact("settings", state.settings())
                .fact("aliases", state.aliases());
        sheet.line(workspace
                .directory()
                .map(d -> "workspace " + d + ", saved after each change")
                .orElse("no workspace: what is open is not saved; save it with: workspace save DIR"));
        state.settings().forEach((name, value) -> sheet.line("  set " + name + " " + value));
        state.aliases().forEach((name, text) -> sheet.line("  alias " + name + "=" + Tokenizer.quote(text)));
        return models(sheet, session, state.models(), workspace.offered());
    }

    /// What became of reopening.
    static Sheet opened(Session session) {
        Workspace workspace = session.workspace();
        Sheet sheet = Sheet.of("workspace-open")
                .fact("directory", workspace.directory().map(Path::toString).orElse(""));
        return models(sheet, session, workspace.state().models(), List.of());
    }

    private static Sheet models(Sheet sheet, Session session, List<Entry> models, List<Entry> offered) {
        sheet.rows("models")
                .column("model", "model")
                .column("state", "state")
                .column("files", "files")
                .column("command", "made by");
        List<Entry> all = new ArrayList<>(models);
        offered.stream()
                .filter(o -> models.stream().noneMatch(m -> m.name().equals(o.name())))
                .forEach(all::add);
        all.forEach(e -> sheet.row(e.name(), state(session, e), files(e), e.command()));
        if (all.isEmpty()) {
            sheet.below("nothing is open");
        }
        if (all.stream().anyMatch(e -> !session.models().containsKey(e.name()))) {
            sheet.below("").below("what is not open is opened with: workspace open");
        }
        return sheet;
    }

    private static String state(Session session, Entry entry) {
        if (!session.models().containsKey(entry.name())) {
            return "not open";
        }
        return session.current().filter(entry.name()::equals).isPresent() ? "in use" : "open";
    }

    private static String files(Entry entry) {
        int changed = Reopening.changes(entry).size();
        return changed == 0
                ? "as they were"
                : changed + " of " + entry.sources().size() + " changed";
    }

    /// `actor and base were open; 1 of 6 files of actor changed since. Open them again with: workspace open`.
    static Optional<String> offer(List<Entry> offered) {
        if (offered.isEmpty()) {
            return Optional.empty();
        }
        List<String> names = offered.stream().map(Entry::name).toList();
        StringBuilder text =
                new StringBuilder(String.join(", ", names)).append(names.size() == 1 ? " was open" : " were open");
        for (Entry entry : offered) {
            int changed = Reopening.changes(entry).size();
            if (changed > 0) {
                text.append("; of ").append(entry.name()).append(", ").append(changed);
                text.append(" of ").append(Counted.of(entry.sources().size(), "file"));
                text.append(changed == 1 ? " is" : " are").append(" not as before");
            }
        }
        return Optional.of(text + "; open again with: workspace open");
    }

    static Sheet list(Workspace workspace) {
        Sheet sheet = Sheet.of("workspaces")
                .rows("workspaces")
                .column("workspace", "workspace")
                .number("models", "models")
                .time("saved_millis", "saved")
                .column("state", "");
        Set<Path> paths = new LinkedHashSet<>();
        workspace.directory().ifPresent(paths::add);
        paths.add(workspace.places().workspace());
        paths.addAll(workspace.places().known());
        for (Path path : paths) {
            boolean held = workspace.directory().filter(path::equals).isPresent();
            row(sheet, path, WorkspaceStore.file(path), held ? "in use" : "");
            Path previous = WorkspaceStore.previous(path);
            row(sheet, previous, previous, "put aside");
        }
        if (sheet.isEmpty()) {
            sheet.below("none so far; make one: workspace save DIR");
        }
        return sheet;
    }

    private static void row(Sheet sheet, Path path, Path file, String state) {
        try {
            Optional<Saved> saved = WorkspaceStore.read(file);
            saved.ifPresent(
                    s -> sheet.row(path.toString(), (long) s.state().models().size(), s.savedMillis(), state));
        } catch (Fault fault) {
            sheet.row(path.toString(), "", "", "cannot be read: " + fault.code());
        }
    }
}
