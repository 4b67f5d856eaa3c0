package dev.kintsugi.shell;

/// A positional word of a verb. `optional` ones may be left out; a `repeated` one takes all that follow.
record Parameter(String name, ValueKind kind, boolean optional, boolean repeated) {
    static Parameter required(String name, ValueKind kind) {
        return new Parameter(name, kind, false, false);
    }

    static Parameter optional(String name, ValueKind kind) {
        return new Parameter(name, kind, true, false);
    }

    static Parameter several(String name, ValueKind kind) {
        return new Parameter(name, kind, false, true);
    }

    static Parameter any(String name, ValueKind kind) {
        return new Parameter(name, kind, true, true);
    }

    /// `MODEL`, `[SEL…]`.
    String usage() {
        String text = name + (repeated ? "…" : "");
        return optional ? "[" + text + "]" : text;
    }
}
