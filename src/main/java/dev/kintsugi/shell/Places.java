package dev.kintsugi.shell;

import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Where the shell keeps its own files, as the XDG base directory specification has it.
///
/// @param environment the process's variables
/// @param home the person's home directory
record Places(Map<String, String> environment, Path home) {
    Places {
        environment = Map.copyOf(environment);
    }

    static Places ofProcess() {
        return new Places(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /// What lasts from one start to the next: in `XDG_STATE_HOME`, else in `~/.local/state`.
    Path state() {
        return variable("XDG_STATE_HOME")
                .orElseGet(() -> home.resolve(".local").resolve("state"))
                .resolve("kintsugi");
    }

    /// The workspace of a prompt that was given none.
    Path workspace() {
        return state().resolve("workspace");
    }

    /// The directories that were used as workspaces, a line each.
    Path knownWorkspaces() {
        return state().resolve("workspaces");
    }

    /// The recipe that runs when the prompt starts: in `XDG_CONFIG_HOME`, else in `~/.config`.
    Path init() {
        return variable("XDG_CONFIG_HOME")
                .orElseGet(() -> home.resolve(".config"))
                .resolve("kintsugi")
                .resolve("init.rsh");
    }

    /// The directories that were used as workspaces; none where the list cannot be read.
    List<Path> known() {
        return list().orElse(List.of());
    }

    /// Nothing where there is a list that cannot be read.
    private Optional<List<Path>> list() {
        if (!Files.exists(knownWorkspaces(), LinkOption.NOFOLLOW_LINKS)) {
            return Optional.of(List.of());
        }
        try {
            if (!Files.isRegularFile(knownWorkspaces())
                    || Files.size(knownWorkspaces()) > Limit.WORKSPACE_BYTES.value()) {
                return Optional.empty();
            }
            return Optional.of(Files.readAllLines(knownWorkspaces()).stream()
                    .filter(l -> !l.isBlank())
                    .map(Path::of)
                    .toList());
        } catch (IOException | InvalidPathException e) {
            return Optional.empty();
        }
    }

    /// Remembers `directory` as a workspace. That it cannot is no reason to stop: only the list lacks it. A list that
    /// cannot be read stays as it is.
    void know(Path directory) {
        Optional<List<Path>> list = list();
        List<Path> known = new ArrayList<>(list.orElse(List.of()));
        if (list.isEmpty() || directory.equals(workspace()) || known.contains(directory)) {
            return;
        }
        known.add(directory);
        String lines = known.stream().map(p -> p + "\n").collect(Collectors.joining());
        try {
            Files.createDirectories(state());
            AtomicFile.replace(knownWorkspaces(), lines.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            return;
        }
    }

    /// The specification says that a relative path there is to be ignored.
    private Optional<Path> variable(String name) {
        return Optional.ofNullable(environment.get(name))
                .filter(s -> !s.isEmpty())
                .map(Path::of)
                .filter(Path::isAbsolute);
    }
}
