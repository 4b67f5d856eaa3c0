package dev.kintsugi;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Expected tensors, read from a safetensors file that another program wrote, by a reader of the tests' own.
public final class Golden {
    /// A tensor's spec and bytes.
    @SuppressWarnings("ArrayRecordComponent")
    public record Values(TensorSpec spec, byte[] bytes) {}

    private Golden() {}

    /// The folder of test resources.
    public static Path resource(String name) {
        return Path.of("src", "test", "resources").resolve(name);
    }

    public static SequencedMap<String, Values> read(Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            int header = Math.toIntExact(
                    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong());
            JsonNode root = JsonMapper.shared().readTree(new String(bytes, 8, header, StandardCharsets.UTF_8));
            SequencedMap<String, Values> tensors = new LinkedHashMap<>();
            root.forEachEntry((name, entry) -> {
                if (!name.equals("__metadata__")) {
                    long[] dims = new long[entry.get("shape").size()];
                    Arrays.setAll(dims, i -> entry.get("shape").get(i).asLong());
                    DType dtype =
                            DType.ofSafetensors(entry.get("dtype").asString()).orElseThrow();
                    int from = 8 + header + entry.get("data_offsets").get(0).asInt();
                    int to = 8 + header + entry.get("data_offsets").get(1).asInt();
                    tensors.put(
                            name,
                            new Values(new TensorSpec(dtype, Shape.of(dims)), Arrays.copyOfRange(bytes, from, to)));
                }
            });
            return tensors;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// All bytes of `tensor`, read in blocks of `block` elements.
    public static byte[] bytes(Tensor tensor, int block) {
        int width = tensor.spec().dtype().byteWidth();
        byte[] all = new byte[Math.toIntExact(tensor.spec().byteCount())];
        long count = tensor.spec().elementCount();
        for (long from = 0; from < count; from += block) {
            long length = Math.min(block, count - from);
            tensor.read(from, length, MemorySegment.ofArray(all).asSlice(from * width, length * width));
        }
        return all;
    }
}
