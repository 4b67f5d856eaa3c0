package dev.kintsugi.pickle;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The bytes of a pickle, read front to back; every length is checked against what is left before it is used.
final class PickleInput {
    private static final int MAX_DIGITS = 20_000;

    private final String place;
    private final byte[] bytes;
    private final MemorySegment memory;
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
        int value = memory.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), offset);
        offset += 4;
        return value;
    }

    long uint32() {
        return Integer.toUnsignedLong(int32());
    }

    long int64() {
        need(8);
        long value = memory.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), offset);
        offset += 8;
        return value;
    }

    double float64BigEndian() {
        need(8);
        double value = memory.get(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), offset);
        offset += 8;
        return value;
    }

    byte[] bytes(long count) {
        need(count);
        byte[] copy = Arrays.copyOfRange(bytes, offset, offset + (int) count);
        offset += (int) count;
        return copy;
    }

    String utf8(long count) {
        need(count);
        ByteBuffer text = ByteBuffer.wrap(bytes, offset, (int) count);
        offset += (int) count;
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(text).toString();
        } catch (CharacterCodingException e) {
            return new String(text.array(), offset - (int) count, (int) count, StandardCharsets.UTF_8);
        }
    }

    String latin1(long count) {
        return new String(bytes(count), StandardCharsets.ISO_8859_1);
    }

    /// A frame is only a promise that its bytes are there.
    void frame(long count) {
        need(count);
    }

    /// The rest of the line, without its line feed.
    String line() {
        int end = offset;
        while (end < bytes.length && bytes[end] != '\n') {
            end++;
        }
        if (end == bytes.length) {
            throw damaged("a line without an end");
        }
        String text = new String(bytes, offset, end - offset, StandardCharsets.UTF_8);
        offset = end + 1;
        return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
    }

    String quotedLine() {
        String line = line();
        int last = line.length() - 1;
        if (last < 1 || line.charAt(0) != line.charAt(last) || (line.charAt(0) != '\'' && line.charAt(0) != '"')) {
            throw damaged("a STRING that is not quoted");
        }
        return line.substring(1, last);
    }

    String rawUnicodeLine() {
        return line();
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
        String line = line();
        try {
            return Double.parseDouble(line);
        } catch (NumberFormatException e) {
            throw damaged("a FLOAT that is no number");
        }
    }

    BigInteger number(String line) {
        try {
            return decimal(line);
        } catch (NumberFormatException e) {
            throw damaged("a number that is none");
        }
    }

    /// The number `line` spells. **Errors.** [NumberFormatException], also for more digits than anybody needs.
    private static BigInteger decimal(String line) {
        if (line.length() > MAX_DIGITS) {
            throw new NumberFormatException("too many digits");
        }
        return new BigInteger(line.strip());
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
