package dev.kintsugi.shell;

import java.util.List;
import java.util.Locale;

/// Words that mark a line as one that may hold a secret, which no file of ours is to keep.
final class Secrets {
    private static final List<String> WORDS = List.of("token", "password", "secret");

    private Secrets() {}

    static boolean mayHold(String line) {
        String lower = line.toLowerCase(Locale.ROOT);
        return WORDS.stream().anyMatch(lower::contains);
    }

    /// The same as a pattern of JLine's history, which has `*` and `:`.
    static String historyPattern() {
        return String.join(":", WORDS.stream().map(w -> "*" + w + "*").toList());
    }
}
