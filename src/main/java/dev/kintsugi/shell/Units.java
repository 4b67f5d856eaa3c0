package dev.kintsugi.shell;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/// Numbers as a person reads them.
final class Units {
    private static final String[] BYTES = {"B", "kB", "MB", "GB", "TB", "PB"};
    private static final String[] COUNTS = {"", " k", " M", " B", " T"};
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT).withZone(ZoneId.systemDefault());

    private Units() {}

    /// `988 MB`, three digits, of 1000.
    static String bytes(long bytes) {
        return scaled(bytes, BYTES, " ");
    }

    /// `494 M`.
    static String count(long count) {
        return scaled(count, COUNTS, "");
    }

    private static String scaled(long value, String[] units, String blank) {
        double scaled = value;
        int unit = 0;
        while (scaled >= 999.5 && unit < units.length - 1) {
            scaled /= 1000;
            unit++;
        }
        String digits = unit == 0 || scaled >= 99.95
                ? String.format(Locale.ROOT, "%.0f", scaled)
                : String.format(Locale.ROOT, scaled >= 9.995 ? "%.1f" : "%.2f", scaled);
        return digits + blank + units[unit];
    }

    /// `1,234,567`.
    static String exact(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    /// `0.01953`, `-3.052e-05`, four digits.
    static String real(double value) {
        if (value == 0 || Double.isNaN(value) || Double.isInfinite(value)) {
            return value == 0 ? "0" : Double.isNaN(value) ? "NaN" : value > 0 ? "Inf" : "-Inf";
        }
        String text = String.format(Locale.ROOT, "%.4g", value);
        return text.contains("e") || !text.contains(".") ? text : text.replaceFirst("\\.?0+$", "");
    }

    static String time(long millis) {
        return millis <= 0 ? "" : TIME.format(Instant.ofEpochMilli(millis));
    }

    /// `0.42 s`, `12 s`, `3:05 min`.
    static String seconds(double seconds) {
        if (seconds < 10) {
            return String.format(Locale.ROOT, "%.2f s", seconds);
        }
        if (seconds < 120) {
            return String.format(Locale.ROOT, "%.0f s", seconds);
        }
        long whole = Math.round(seconds);
        return String.format(Locale.ROOT, "%d:%02d min", whole / 60, whole % 60);
    }
}
