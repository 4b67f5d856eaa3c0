package dev.kintsugi.shell;

import java.util.Locale;

/// Makes text that comes from files safe to show: a name cannot move the cursor, change colours or hide itself.
final class Escape {
    private Escape() {}

    /// `text` with control characters, bidirectional overrides and lone surrogates written as `\\uHHHH`.
    static String text(String text) {
        StringBuilder safe = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean pair = Character.isHighSurrogate(c)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1));
            if (pair) {
                if (safe != null) {
                    safe.append(c).append(text.charAt(i + 1));
                }
                i++;
                continue;
            }
            if (isUnsafe(c)) {
                safe = safe == null ? new StringBuilder(text.substring(0, i)) : safe;
                safe.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else if (safe != null) {
                safe.append(c);
            }
        }
        return safe == null ? text : safe.toString();
    }

    private static boolean isUnsafe(char c) {
        return c < 0x20
                || c >= 0x7f && c < 0xa0
                || c >= 0x200b && c <= 0x200f
                || c >= 0x202a && c <= 0x202e
                || c >= 0x2060 && c <= 0x206f
                || c == 0xfeff
                || Character.isSurrogate(c);
    }
}
