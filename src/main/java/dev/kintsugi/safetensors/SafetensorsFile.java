package dev.kintsugi.safetensors;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;

/// An opened safetensors file: the header in memory, the data mapped.
///
/// **Errors.** [Fault] `K2301` where the header is wrong, `K2302` where data is cut off, `K2303` beyond the
/// limits, `K2003` where the file is something else, `K2205` for a dtype that is not known.
public final class SafetensorsFile {
    private static final int TEXT_BLOCK = 1 << 13;

    private final SequencedMap<String, StoredTensor> tensors;
    private final Map<String, String> metadata;
    private final List<Note> notes;

    private SafetensorsFile(
            SequencedMap<String, StoredTensor> tensors, Map<String, String> metadata, List<Note> notes) {
        this.tensors = Collections.unmodifiableSequencedMap(tensors);
        this.metadata = Collections.unmodifiableMap(metadata);
        this.notes = List.copyOf(notes);
    }

    /// Reads and checks the header of `file`.
    public static SafetensorsFile open(MappedFile file) {
        try {
            return read(file);
        } catch (Fault fault) {
            throw fault.at(file.name());
        }
    }

    private static SafetensorsFile read(MappedFile file) {
        if (file.byteCount() < 8) {
            throw new Fault(
                    Code.K2302,
                    "holds " + file.byteCount() + " bytes, a header needs 8 at least",
                    "the file was cut short or is still being written",
                    "copy it again");
        }
        byte[] start = file.bytes(0, (int) Math.min(64, file.byteCount()));
        long headerBytes = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getLong();
        Foreign.refuse(start);
        if (headerBytes < 0 || headerBytes > Limit.HEADER_BYTES.value()) {
            throw new Fault(
                    Code.K2303,
                    "says that its header has " + Long.toUnsignedString(headerBytes) + " bytes, the limit is "
                            + Limit.HEADER_BYTES.value(),
                    "the file is no safetensors file, or its start is damaged",
                    "copy it again; if it is right, allow more: " + Limit.HEADER_BYTES.more());
        }
        if (headerBytes > file.byteCount() - 8) {
            throw new Fault(
                    Code.K2302,
                    String.format(
                            Locale.ROOT,
                            "holds %d bytes, its header alone needs %d: at most %.1f %% of the file is there",
                            file.byteCount(),
                            headerBytes + 8,
                            100.0 * file.byteCount() / (headerBytes + 8)),
                    "the file was cut short or is still being written",
                    "copy it again");
        }
        byte[] json = file.bytes(8, (int) headerBytes);
        checkText(json);
        List<Note> notes = new ArrayList<>();
        int first = 0;
        while (first < json.length && Character.isWhitespace(json[first])) {
            first++;
        }
        if (first == json.length || json[first] != '{') {
            throw Header.damaged("the header does not begin with '{'");
        }
        if (first > 0) {
            notes.add(Note.formatBreak(file.name() + ": the header begins with blanks, which the format forbids"));
        }
        long dataStart = 8 + headerBytes;
        Header header = Header.parse(json, file, dataStart);
        SequencedMap<String, StoredTensor> tensors =
                LinkedHashMap.newLinkedHashMap(header.tensors().size());
        for (Map.Entry<String, StoredTensor> entry : header.tensors()) {
            if (tensors.put(entry.getKey(), entry.getValue()) != null) {
                throw Header.twice(entry.getKey());
            }
        }
        checkTiling(header.tensors(), dataStart, file.byteCount());
        if (header.nullMetadata()) {
            notes.add(Note.formatBreak(file.name() + ": __metadata__ is null"));
        }
        byte last = json[json.length - 1];
        if (last != '}' && last != ' ') {
            notes.add(Note.formatBreak(file.name() + ": the header is padded with other blanks than spaces"));
        }
        if (header.unknownFields() > 0) {
            notes.add(Note.formatBreak(file.name() + ": " + header.unknownFields() + " unknown fields in the header"));
        }
        return new SafetensorsFile(tensors, header.metadata(), notes);
    }

    /// Refuses what is no UTF-8, a few characters at a time: a header may be a tenth of the heap.
    private static void checkText(byte[] bytes) {
        CharBuffer text = CharBuffer.allocate(TEXT_BLOCK);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        CoderResult result = CoderResult.OVERFLOW;
        while (result.isOverflow()) {
            result = decoder.decode(in, text.clear(), true);
        }
        if (result.isError()) {
            throw Header.damaged("the header is no UTF-8 at byte " + (8 + in.position()) + " of the file");
        }
    }

    /// Refuses data of which a byte belongs to no tensor or to two.
    private static void checkTiling(List<Map.Entry<String, StoredTensor>> tensors, long dataStart, long fileBytes) {
        List<Map.Entry<String, StoredTensor>> ordered = new ArrayList<>(tensors);
        ordered.sort(Comparator.comparingLong(
                        (Map.Entry<String, StoredTensor> e) -> e.getValue().byteOffset())
                .thenComparingLong(e -> e.getValue().byteEnd()));
        long at = dataStart;
        String before = "the header";
        for (Map.Entry<String, StoredTensor> entry : ordered) {
            long begin = entry.getValue().byteOffset();
            if (begin > at) {
                throw Header.damaged("bytes " + (at - dataStart) + " to " + (begin - dataStart)
                        + " of the data, between " + before + " and " + entry.getKey() + ", belong to no tensor");
            }
            if (begin < at) {
                throw Header.damaged(
                        before + " and " + entry.getKey() + " overlap at byte " + (begin - dataStart) + " of the data");
            }
            at = entry.getValue().byteEnd();
            before = entry.getKey();
        }
        if (at > fileBytes) {
            String first = ordered.stream()
                    .filter(e -> e.getValue().byteEnd() > fileBytes)
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElse(before);
            throw new Fault(
                    Code.K2302,
                    String.format(
                            Locale.ROOT,
                            "holds %,d bytes of data, its tensors need %,d: cut short at %.1f %%, within %s",
                            fileBytes - dataStart,
                            at - dataStart,
                            100.0 * (fileBytes - dataStart) / (at - dataStart),
                            first),
                    "the file was cut short or is still being written",
                    "copy it again");
        }
        if (at < fileBytes) {
            throw Header.damaged(
                    String.format(Locale.ROOT, "%,d bytes behind the last tensor belong to none", fileBytes - at));
        }
    }

    /// The tensors in the order of the header.
    public SequencedMap<String, StoredTensor> tensors() {
        return tensors;
    }

    /// The same as plain [Tensor]s.
    public Map<String, ? extends Tensor> stateDict() {
        return tensors;
    }

    /// What `__metadata__` says, such as `format` = `pt`.
    public Map<String, String> metadata() {
        return metadata;
    }

    /// What is unusual but harmless.
    public List<Note> notes() {
        return notes;
    }
}
