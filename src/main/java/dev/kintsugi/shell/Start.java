package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/// How the program was started: `[--debug [timing]] [--no-init] [--workspace DIR] [COMMAND…]`.
///
/// @param workspace the directory that is to be used, also by one command
/// @param init whether the prompt begins with the init file
/// @param words the command, empty for a prompt
record Start(Optional<Path> workspace, boolean init, Debug debug, List<String> words) {
    Start {
        words = List.copyOf(words);
    }

    /// **Errors.** [Fault] `K1003` for `--workspace` without a directory.
    static Start of(List<String> arguments) {
        Deque<String> words = new ArrayDeque<>(arguments);
        Debug debug = debug(words);
        boolean init = true;
        Optional<Path> workspace = Optional.empty();
        while (!words.isEmpty()) {
            String word = words.getFirst();
            if (word.equals("--no-init")) {
                init = false;
            } else if (word.startsWith("--workspace=")) {
                workspace = Optional.of(directory(word.substring("--workspace=".length())));
            } else if (word.equals("--workspace")) {
                words.removeFirst();
                workspace = Optional.of(directory(words.isEmpty() ? "" : words.getFirst()));
            } else {
                break;
            }
            words.removeFirst();
        }
        return new Start(workspace, init, debug, List.copyOf(words));
    }

    /// Takes `--debug` and its level out of `words`, wherever it stands.
    private static Debug debug(Deque<String> words) {
        if (words.remove("--debug=timing")) {
            return Debug.TIMING;
        }
        List<String> all = new ArrayList<>(words);
        int at = all.indexOf("--debug");
        if (at < 0) {
            return Debug.OFF;
        }
        all.remove(at);
        boolean timing = at < all.size() && all.get(at).equals(Debug.TIMING.word());
        if (timing) {
            all.remove(at);
        }
        words.clear();
        words.addAll(all);
        return timing ? Debug.TIMING : Debug.ON;
    }

    private static Path directory(String text) {
        if (text.isEmpty()) {
            throw new Fault(
                    Code.K1003,
                    "--workspace needs a value",
                    "it names the directory to keep what is open in",
                    "write for example: kintsugi --workspace runs/looking");
        }
        return Commands.absolute(Opening.path(text));
    }
}
