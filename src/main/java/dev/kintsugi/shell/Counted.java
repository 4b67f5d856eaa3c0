package dev.kintsugi.shell;

/// Things with their number.
final class Counted {
    private Counted() {}

    /// `1 file`, `2 files`, `1,024 files`.
    static String of(long count, String noun) {
        return Units.exact(count) + " " + noun + (count == 1 ? "" : "s");
    }
}
