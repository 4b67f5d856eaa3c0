package dev.kintsugi.bench;

/// A line of the table.
///
/// **Units.** Seconds, medians. `start` is what starting alone takes; `reference` moves the same bytes,
/// `synced` until they are on the disk; `cpu` is what all threads used. They are 0 where there is no such
/// thing. `ratio` is what the bar is held against. `heap` is the limit, `peakMib` the resident memory with
/// the pages of mapped files, `anonymousMib` without.
record Row(
        String name,
        double seconds,
        double cpu,
        double start,
        double reference,
        double synced,
        double ratio,
        String heap,
        long peakMib,
        long anonymousMib) {
    /// How the seconds beyond start-up compare with `other`.
    static double beyond(double seconds, double start, double other) {
        return other <= 0 ? 0 : Math.max(0, seconds - start) / other;
    }
}
