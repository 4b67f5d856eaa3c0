package dev.kintsugi.pickle;

import java.nio.charset.StandardCharsets;
import java.util.Optional;

/// Texts as Python's pickle module decodes them; empty where Python would refuse.
///
/// **Source.** `Lib/pickle.py`: `utf-8` with `surrogatepass`, `raw-unicode-escape`, `codecs.escape_decode`.
final class PickleText {
    private static final String ESCAPES = "\\'\"abfnrtv";
    private static final String ESCAPED = "\\'\"\u0007\b\f\n\r\t\u000b";

    private PickleText() {}

    /// Bytes `[from, to)` as UTF-8 in which lone surrogates may stand.
    static Optional<String> utf8(byte[] bytes, int from, int to) {
        int ascii = from;
        while (ascii < to && bytes[ascii] >= 0) {
            ascii++;
        }
        if (ascii == to) {
            return Optional.of(new String(bytes, from, to - from, StandardCharsets.US_ASCII));
        }
        StringBuilder text = new StringBuilder(to - from);
        int at = from;
        while (at < to) {
            int lead = bytes[at] & 0xff;
            int length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
            if (length == 0 || at + length > to) {
                return Optional.empty();
            }
            int point = length == 1 ? lead : lead & 0x7f >> length;
            for (int i = 1; i < length; i++) {
                int next = bytes[at + i] & 0xff;
                if (next >> 6 != 2) {
                    return Optional.empty();
                }
                point = point << 6 | next & 0x3f;
            }
            boolean overlong = length == 3 && point < 0x800 || length == 4 && (point < 0x10000 || point > 0x10ffff);
            if (overlong) {
                return Optional.empty();
            }
            text.appendCodePoint(point);
            at += length;
        }
        return Optional.of(text.toString());
    }

    /// `\\uHHHH` and `\\UHHHHHHHH` behind an odd number of backslashes are characters, all else stands for
    /// itself.
    static Optional<String> rawUnicode(String line) {
        StringBuilder text = new StringBuilder(line.length());
        int at = 0;
        while (at < line.length()) {
            char c = line.charAt(at);
            char next = at + 1 < line.length() ? line.charAt(at + 1) : ' ';
            if (c != '\\') {
                text.append(c);
                at++;
            } else if (next == 'u' || next == 'U') {
                int digits = next == 'u' ? 4 : 8;
                Optional<Integer> point =
                        hex(line, at + 2, digits).filter(p -> p >= 0 && p <= Character.MAX_CODE_POINT);
                if (point.isEmpty()) {
                    return Optional.empty();
                }
                text.appendCodePoint(point.get());
                at += 2 + digits;
            } else {
                text.append(c);
                at++;
                if (next == '\\') {
                    text.append(next);
                    at++;
                }
            }
        }
        return Optional.of(text.toString());
    }

    /// The escapes of a Python 2 string literal.
    static Optional<String> unescape(String quoted) {
        StringBuilder text = new StringBuilder(quoted.length());
        int at = 0;
        while (at < quoted.length()) {
            char c = quoted.charAt(at++);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            if (at == quoted.length()) {
                return Optional.empty();
            }
            char kind = quoted.charAt(at++);
            int known = ESCAPES.indexOf(kind);
            if (known >= 0) {
                text.append(ESCAPED.charAt(known));
            } else if (kind == 'x') {
                Optional<Integer> value = hex(quoted, at, 2);
                if (value.isEmpty()) {
                    return Optional.empty();
                }
                text.append((char) value.get().intValue());
                at += 2;
            } else if (kind >= '0' && kind <= '7') {
                int value = kind - '0';
                int end = Math.min(quoted.length(), at + 2);
                while (at < end && quoted.charAt(at) >= '0' && quoted.charAt(at) <= '7') {
                    value = value * 8 + quoted.charAt(at++) - '0';
                }
                text.append((char) (value & 0xff));
            } else {
                text.append('\\').append(kind);
            }
        }
        return Optional.of(text.toString());
    }

    private static Optional<Integer> hex(String text, int from, int digits) {
        int value = 0;
        for (int at = from; at < from + digits; at++) {
            int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
            if (digit < 0 || text.charAt(at) > 'f') {
                return Optional.empty();
            }
            value = value << 4 | digit;
        }
        return Optional.of(value);
    }
}
