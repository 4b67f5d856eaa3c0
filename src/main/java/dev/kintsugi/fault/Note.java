package dev.kintsugi.fault;

import java.util.Objects;

/// Something a person should know of what was opened, and that stops nothing by itself.
///
/// @param text what, and where; one sentence without a trailing full stop, not yet made safe to show
/// @param breaksFormat whether a file is not as its format has it, for which `--strict` refuses it
public record Note(String text, boolean breaksFormat) {
    public Note {
        Objects.requireNonNull(text);
    }

    /// What was inferred, chosen, left out or found beside.
    public static Note information(String text) {
        return new Note(text, false);
    }

    /// A break of a file format that leaves no doubt about what is meant.
    public static Note formatBreak(String text) {
        return new Note(text, true);
    }
}
