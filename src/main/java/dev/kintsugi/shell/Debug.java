package dev.kintsugi.shell;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/// What is told of a command beyond its result: nothing, the trace of what failed, or where its time went.
enum Debug {
    OFF,
    ON,
    TIMING;

    static Optional<Debug> parse(String word) {
        return Arrays.stream(values()).filter(d -> d.word().equals(word)).findFirst();
    }

    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
