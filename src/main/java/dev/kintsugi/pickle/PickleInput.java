package dev.kintsugi.pickle;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;

/// The bytes of a pickle, read front to back; every length is checked against what is left before it is used.
final class PickleInput {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private static final Pattern WHOLE = Pattern.compile("[+-]?(0+|[1-9][0-9]*)");
    private static final Pattern DECIMAL = Pattern.compile("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]{1,6})?");

    private final String place;
    private final byte[] bytes;
    private final MemorySegment memory;
    private final long maxString = Limit.PICKLE_STRING.value();
    private int offset;

    PickleInput(String place, byte[] bytes, int start) {
        this.place = place;
        this.bytes = bytes;
        this.memory = MemorySegment.ofArray(bytes);
        this.offset = start;
    }

    int offset() {
        return offset;
    }

    int unsignedByte() {
        need(1);
        return bytes[offset++] & 0xff;
    }

    int unsignedShort() {
        return unsignedByte() | unsignedByte() << 8;
    }

    int int32() {
        need(4);
        int value = memory.get(INT, offset);
        offset += 4;
        return value;
    }

    long uint32() {
        return Integer.toUnsignedLong(int32());
    }

    long int64() {
        need(8);
        long value = memory.get(LONG, offset);
        offset += 8;
        return value;
    }

    double float64BigEndian() {
        need(8);
        double value = memory.get(DOUBLE, offset);
        offset += 8;
        return value;
    }

    byte[] bytes(long count) {
        need(count);
        string(count);
        byte[] copy = Arrays.copyOfRange(bytes, offset, offset + (int) count);
        offset += (int) count;
        return copy;
    }

    String utf8(long count) {
        need(count);
        string(count);
        int from = offset;
        offset += (int) count;
        return PickleText.utf8(bytes, from, offset).orElseThrow(() -> damaged("a text that is no UTF-8"));
    }

    /// A frame is only a promise that its bytes are there.
    void frame(long count) {
        need(count);
    }

    /// The rest of the line as UTF-8, without its line feed; a carriage return is part of it, as in Python.
    String line() {
        int from = offset;
        int end = endOfLine();
        return PickleText.utf8(bytes, from, end).orElseThrow(() -> damaged("a line that is no UTF-8"));
    }

    /// The offset of the next line feed, behind which reading goes on.
    private int endOfLine() {
        int end = offset;
        while (end < bytes.length && bytes[end] != '\n') {
            end++;
        }
        if (end == bytes.length) {
            throw damaged("a line without an end");
        }
        string(end - offset);
        offset = end + 1;
        return end;
    }

    /// A quoted line with Python's escapes in it, of bytes that are UTF-8: the encoding torch asks for.
    String quotedLine() {
        int from = offset;
        String line = new String(bytes, from, endOfLine() - from, StandardCharsets.ISO_8859_1);
        int last = line.length() - 1;
        if (last < 1 || line.charAt(0) != line.charAt(last) || (line.charAt(0) != '\'' && line.charAt(0) != '"')) {
            throw damaged("a STRING that is not quoted");
        }
        byte[] text = PickleText.unescape(line.substring(1, last))
                .orElseThrow(() -> damaged("a STRING with a broken escape"))
                .getBytes(StandardCharsets.ISO_8859_1);
        return PickleText.utf8(text, 0, text.length).orElseThrow(() -> damaged("a STRING that is no UTF-8"));
    }

    /// A line in Python's raw-unicode-escape.
    String rawUnicodeLine() {
        int from = offset;
        String line = new String(bytes, from, endOfLine() - from, StandardCharsets.ISO_8859_1);
        return PickleText.rawUnicode(line).orElseThrow(() -> damaged("a UNICODE with a broken escape"));
    }

    BigInteger textLong() {
        String line = line();
        return number(line.endsWith("L") ? line.substring(0, line.length() - 1) : line);
    }

    long textMemo() {
        BigInteger slot = number(line());
        if (slot.signum() < 0 || slot.bitLength() > 62) {
            throw damaged("memo slot " + slot);
        }
        return slot.longValueExact();
    }

    double textDouble() {
        String line = line().strip();
        return switch (line.toLowerCase(Locale.ROOT)) {
            case "nan" -> Double.NaN;
            case "inf" -> Double.POSITIVE_INFINITY;
            case "-inf" -> Double.NEGATIVE_INFINITY;
            default -> {
                digits(line);
                if (!DECIMAL.matcher(line).matches()) {
                    throw damaged("a FLOAT that is no number");
                }
                yield Double.parseDouble(line);
            }
        };
    }

    /// A number in decimal digits. One that begins with a zero is octal to one Python and an error to another.
    BigInteger number(String line) {
        String digits = line.strip();
        digits(digits);
        if (!WHOLE.matcher(digits).matches()) {
            throw damaged("a number that is none");
        }
        return new BigInteger(digits);
    }

    /// A number of `count` bytes, least significant first.
    BigInteger littleEndian(long count) {
        Limit.INTEGER_BYTES.check(count, Code.K2202, () -> at("a number of " + count + " bytes"));
        byte[] little = bytes(count);
        byte[] big = new byte[little.length];
        for (int i = 0; i < little.length; i++) {
            big[i] = little[little.length - 1 - i];
        }
        return big.length == 0 ? BigInteger.ZERO : new BigInteger(big);
    }

    private void digits(String number) {
        Limit.NUMBER_DIGITS.check(
                number.length(), Code.K2202, () -> at("a number of " + number.length() + " characters"));
    }

    private String at(String what) {
        return place + ": " + what + " at byte " + offset;
    }

    private void string(long count) {
        if (count > maxString) {
            throw Limit.PICKLE_STRING.beyond(Code.K2202, at("a string of " + count + " bytes"));
        }
    }

    private void need(long count) {
        if (count < 0 || count > bytes.length - offset) {
            throw damaged("needs " + count + " bytes where " + (bytes.length - offset) + " are left");
        }
    }

    Fault damaged(String what) {
        return new Fault(
                Code.K2201,
                place + ": damaged pickle at byte " + offset + ": " + what,
                "the file was cut short, is still being written, or was not written by torch",
                "copy the file again");
    }
}
