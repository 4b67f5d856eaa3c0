package dev.kintsugi.shell;

import java.util.List;

/// An option of a verb, `--name VALUE` or the flag `--name`. `-` and `_` in names are one.
///
/// @param name its long name, without `--`
/// @param value what its value is called in help; empty for a flag
/// @param choices the values it takes; empty for any
/// @param many whether it may be given several times
record OptionSpec(String name, String value, ValueKind kind, List<String> choices, boolean many, String help) {
    OptionSpec {
        choices = List.copyOf(choices);
    }

    static OptionSpec flag(String name, String help) {
        return new OptionSpec(name, "", ValueKind.TEXT, List.of(), false, help);
    }

    static OptionSpec value(String name, String value, ValueKind kind, String help) {
        return new OptionSpec(name, value, kind, List.of(), false, help);
    }

    static OptionSpec choice(String name, List<String> choices, String help) {
        return new OptionSpec(name, String.join("|", choices), ValueKind.TEXT, choices, false, help);
    }

    static OptionSpec many(String name, String value, ValueKind kind, String help) {
        return new OptionSpec(name, value, kind, List.of(), true, help);
    }

    /// `--strict`, of every verb that reads files of strangers.
    static final OptionSpec STRICT =
            flag("strict", "refuse files that break their format in ways that are only noted else");

    /// `--limit`, of every verb that reads files of strangers.
    static final OptionSpec LIMIT = many(
            "limit",
            "NAME=N",
            ValueKind.TEXT,
            "allow more, or less, than usual; the limits are listed by: help safety");

    boolean isFlag() {
        return value.isEmpty();
    }
}
