package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.io.AtomicFile;
import dev.kintsugi.selector.Nearest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// `workspace [show|open|save|list|recipe] [PATH]`.
final class WorkspaceVerb extends Verb {
    private static final List<String> ACTIONS = List.of("show", "open", "save", "list", "recipe");

    WorkspaceVerb(Session session) {
        super(
                session,
                "workspace",
                "models",
                "Shows what is open and kept for the next start; opens, saves or lists workspaces",
                "workspace\nworkspace open\nworkspace save runs/looking\nworkspace recipe again.rsh",
                List.of(Parameter.optional("ACTION", ValueKind.TEXT), Parameter.optional("PATH", ValueKind.PATH)),
                OptionSpec.flag("replace", "take the place of what is there"));
    }

    @Override
    String more() {
        return """
            workspace                  what is open, and where it is saved
            workspace open             opens again what was open at the last start
            workspace open DIR         closes what is open, and opens what DIR has
            workspace save DIR         saves to DIR, from now on after each change
            workspace list             the workspaces used so far
            workspace recipe FILE.rsh  writes the commands that make all of it again

            The prompt keeps one by itself; one command uses one if it is given: kintsugi --workspace DIR COMMAND.
            What was open before something else was opened is kept aside: workspace open DIR/previous.json.
            undo takes the last change back. Tensors are never copied into a workspace.\
            """;
    }

    @Override
    List<String> choices(int position) {
        return position == 0 ? ACTIONS : List.of();
    }

    @Override
    Status run(Invocation call) {
        String action = call.words().isEmpty() ? "show" : call.word(0);
        Optional<Path> path =
                call.words().size() > 1 ? Optional.of(Commands.absolute(Opening.path(call.word(1)))) : Optional.empty();
        return switch (action) {
            case "show" -> print(WorkspaceSheets.show(session()), call);
            case "open" -> open(path, call);
            case "save" -> save(path, call);
            case "list" -> print(WorkspaceSheets.list(session().workspace()), call);
            case "recipe" -> recipe(path, call);
            default -> throw unknown(action);
        };
    }

    private static Status print(Sheet sheet, Invocation call) {
        sheet.print(call.console());
        return Status.DONE;
    }

    private static Fault unknown(String action) {
        List<String> near = Nearest.to(action, ACTIONS, 1);
        return new Fault(
                Code.K1003,
                "workspace " + action + ": no such action",
                "actions are " + String.join(", ", ACTIONS),
                near.isEmpty() ? "see: help workspace" : "did you mean workspace " + near.getFirst() + "?");
    }

    private Status open(Optional<Path> path, Invocation call) {
        Workspace workspace = session().workspace();
        Status status;
        if (path.isPresent() && Files.isRegularFile(path.get())) {
            status = workspace.replaceBy(WorkspaceStore.read(path.get()).orElseThrow());
        } else if (path.isPresent() && !path.equals(workspace.directory())) {
            status = workspace.switchTo(existing(path.get()));
        } else {
            if (workspace.directory().isEmpty()) {
                workspace.begin(existing(workspace.places().workspace()));
            }
            status = workspace.reopen();
        }
        workspace.directory().ifPresent(workspace.places()::know);
        WorkspaceSheets.opened(session()).print(call.console());
        return status;
    }

    private static Path existing(Path directory) {
        if (Files.isRegularFile(WorkspaceStore.file(directory))) {
            return directory;
        }
        throw new Fault(
                Code.K1010,
                directory + ": no workspace",
                "there is no workspace.json in it",
                "see those there are: workspace list");
    }

    private Status save(Optional<Path> path, Invocation call) {
        Workspace workspace = session().workspace();
        Path directory = path.or(workspace::directory)
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        "workspace save needs DIR",
                        "nothing is saved so far",
                        "for example: workspace save runs/looking"));
        boolean other = workspace.directory().filter(directory::equals).isEmpty();
        if (other && !call.has("replace")) {
            refuseExisting(WorkspaceStore.file(directory));
        }
        workspace.saveTo(directory);
        workspace.places().know(directory);
        int models = workspace.state().models().size();
        Sheet.of("workspace-save")
                .fact("directory", directory.toString())
                .fact("models", models)
                .line("saved " + Counted.of(models, "model") + " in " + directory + "; changes are saved there from"
                        + " now on")
                .print(call.console());
        return Status.DONE;
    }

    private static void refuseExisting(Path target) {
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            throw new Fault(
                    Code.K4003, target + " exists", "nothing is overwritten unasked", "name another, or say --replace");
        }
    }

    private Status recipe(Optional<Path> path, Invocation call) {
        Path file = path.orElseThrow(() -> new Fault(
                Code.K1003,
                "workspace recipe needs FILE.rsh",
                "the commands are written to a file",
                "for example: workspace recipe again.rsh"));
        if (!call.has("replace")) {
            refuseExisting(file);
        }
        List<String> commands = session().workspace().commands();
        List<String> lines = new ArrayList<>(List.of("# Makes a workspace again: its settings, aliases and models."));
        lines.addAll(commands);
        try {
            AtomicFile.replace(file, (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw WorkspaceStore.cannotWrite(file, e);
        }
        Sheet.of("workspace-recipe")
                .fact("recipe", file.toString())
                .fact("commands", commands.size())
                .line("wrote " + Counted.of(commands.size(), "command") + " to " + file + "; run them with: run "
                        + Tokenizer.quote(file.toString()))
                .print(call.console());
        return Status.DONE;
    }

    /// `undo`.
    static final class Undo extends Verb {
        Undo(Session session) {
            super(
                    session,
                    "undo",
                    "models",
                    "Takes the last change of the workspace back: open, close, use, set, alias, fuse",
                    "undo",
                    List.of());
        }

        @Override
        Status run(Invocation call) {
            Workspace.Undone undone = session().workspace().undo();
            Sheet.of("undo")
                    .fact("undone", undone.what())
                    .fact("complete", undone.status() == Status.DONE)
                    .line("taken back: " + undone.what())
                    .print(call.console());
            return undone.status();
        }
    }
}
