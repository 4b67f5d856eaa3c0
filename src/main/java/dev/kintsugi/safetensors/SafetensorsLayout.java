package dev.kintsugi.safetensors;

import dev.kintsugi.tensor.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;

/// What a file of given tensors looks like, byte for byte as the reference writer lays it out.
///
/// **Units.** Bytes from the start of the file.
public final class SafetensorsLayout {
    private static final Comparator<Map.Entry<String, TensorSpec>> FILE_ORDER = Comparator.comparing(
                    (Map.Entry<String, TensorSpec> e) -> e.getValue().dtype())
            .thenComparing(e -> e.getKey().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

    private final byte[] head;
    private final SequencedMap<String, Long> offsets;
    private final long byteCount;

    private SafetensorsLayout(byte[] head, SequencedMap<String, Long> offsets, long byteCount) {
        this.head = head;
        this.offsets = offsets;
        this.byteCount = byteCount;
    }

    /// The layout of `tensors`, whose order does not matter, with `metadata` sorted by key before them.
    public static SafetensorsLayout of(Map<String, TensorSpec> tensors, Map<String, String> metadata) {
        List<Map.Entry<String, TensorSpec>> ordered =
                tensors.entrySet().stream().sorted(FILE_ORDER).toList();
        StringBuilder json = new StringBuilder("{");
        if (!metadata.isEmpty()) {
            appendMetadata(json, new TreeMap<>(metadata));
        }
        LinkedHashMap<String, Long> relative = new LinkedHashMap<>();
        long at = 0;
        for (Map.Entry<String, TensorSpec> entry : ordered) {
            TensorSpec spec = entry.getValue();
            long end = Math.addExact(at, spec.byteCount());
            json.append(json.length() > 1 ? "," : "");
            quote(json, entry.getKey());
            json.append(":{\"dtype\":\"").append(spec.dtype().name()).append("\",\"shape\":");
            json.append(Arrays.toString(spec.shape().toArray()).replace(" ", ""));
            json.append(",\"data_offsets\":[")
                    .append(at)
                    .append(',')
                    .append(end)
                    .append("]}");
            relative.put(entry.getKey(), at);
            at = end;
        }
        byte[] text = json.append('}').toString().getBytes(StandardCharsets.UTF_8);
        int padded = (text.length + 7) / 8 * 8;
        ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        head.putLong(padded).put(text);
        Arrays.fill(head.array(), 8 + text.length, 8 + padded, (byte) ' ');
        LinkedHashMap<String, Long> offsets = new LinkedHashMap<>();
        relative.forEach((name, offset) -> offsets.put(name, offset + 8 + padded));
        return new SafetensorsLayout(head.array(), offsets, Math.addExact(at, 8L + padded));
    }

    private static void appendMetadata(StringBuilder json, SortedMap<String, String> metadata) {
        json.append("\"__metadata__\":{");
        String separator = "";
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
            json.append(separator);
            quote(json, entry.getKey());
            json.append(':');
            quote(json, entry.getValue());
            separator = ",";
        }
        json.append('}');
    }

    /// As the reference's JSON writer quotes: `"`, `\` and control characters only.
    private static void quote(StringBuilder json, String text) {
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                default -> {
                    if (c < 0x20) {
                        json.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        json.append(c);
                    }
                }
            }
        }
        json.append('"');
    }

    /// The length and the JSON: what stands before the data.
    public byte[] head() {
        return head.clone();
    }

    /// Where each tensor's first byte goes, in file order.
    public SequencedMap<String, Long> offsets() {
        return Collections.unmodifiableSequencedMap(offsets);
    }

    /// The size of the file.
    public long byteCount() {
        return byteCount;
    }
}
