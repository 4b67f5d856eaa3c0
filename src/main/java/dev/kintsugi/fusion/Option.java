package dev.kintsugi.fusion;

import java.util.Optional;

/// An option of a method.
///
/// `fallback` is the value where none is given, absent where one must be given or where leaving it out means
/// something of its own (`help` says so). `perModel` options may be given for each model, others for the
/// whole fusion.
public record Option(
        String name,
        Kind kind,
        Optional<String> fallback,
        boolean required,
        boolean perModel,
        double least,
        double most,
        String help) {
    /// What values an option takes.
    public enum Kind {
        NUMBER,
        FLAG,
        WORD
    }

    static Option number(String name, double fallback, String help) {
        return new Option(
                name,
                Kind.NUMBER,
                Optional.of(plain(fallback)),
                false,
                false,
                Double.NEGATIVE_INFINITY,
                Double.POSITIVE_INFINITY,
                help);
    }

    static Option required(String name, String help) {
        return new Option(
                name,
                Kind.NUMBER,
                Optional.empty(),
                true,
                false,
                Double.NEGATIVE_INFINITY,
                Double.POSITIVE_INFINITY,
                help);
    }

    static Option optional(String name, String help) {
        return new Option(
                name,
                Kind.NUMBER,
                Optional.empty(),
                false,
                false,
                Double.NEGATIVE_INFINITY,
                Double.POSITIVE_INFINITY,
                help);
    }

    static Option flag(String name, boolean fallback, String help) {
        return new Option(name, Kind.FLAG, Optional.of(String.valueOf(fallback)), false, false, 0, 1, help);
    }

    static Option word(String name, String fallback, String help) {
        return new Option(name, Kind.WORD, Optional.of(fallback), false, false, 0, 0, help);
    }

    /// The same option with bounds, both inclusive.
    Option within(double lower, double upper) {
        return new Option(name, kind, fallback, required, perModel, lower, upper, help);
    }

    /// The same option, given for each model.
    Option eachModel() {
        return new Option(name, kind, fallback, required, true, least, most, help);
    }

    private static String plain(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15 ? String.valueOf((long) value) : "" + value;
    }
}
