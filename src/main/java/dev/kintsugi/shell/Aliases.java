package dev.kintsugi.shell;

import java.util.Map;

/// Other words for the verbs.
final class Aliases {
    private static final Map<String, String> NAMES =
            Map.of("quit", "exit", "?", "help", "ls", "tensors", "q", "exit", "--version", "version", "--help", "help");

    private Aliases() {}

    static String resolve(String name) {
        return NAMES.getOrDefault(name, name);
    }
}
