package dev.kintsugi;

import dev.kintsugi.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Writes files as `torch.save` does (protocol 2, zip, stored), for tests that need files nobody has saved.
///
/// Values are maps (dicts), lists, strings, numbers, booleans, [#NONE], [Size] and [Tensor]s; tensors over
/// one array share a storage.
public final class TorchWriter {
    /// `None`.
    public static final Object NONE = new Object();

    /// A view over `storage` from element `first` on, dense.
    @SuppressWarnings("ArrayRecordComponent")
    public record Tensor(DType dtype, List<Long> shape, byte[] storage, long first) {}

    /// A `torch.Size`.
    public record Size(List<Long> dims) {}

    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    private final Map<byte[], Integer> storages = new IdentityHashMap<>();

    private TorchWriter() {}

    public static void write(Path path, Object root) {
        TorchWriter writer = new TorchWriter();
        writer.pickle.writeBytes(new byte[] {(byte) 0x80, 2});
        writer.value(root);
        writer.pickle.write('.');
        try (OutputStream out = Files.newOutputStream(path);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            put(zip, "archive/data.pkl", writer.pickle.toByteArray());
            for (Map.Entry<byte[], Integer> storage : writer.storages.entrySet()) {
                put(zip, "archive/data/" + storage.getValue(), storage.getKey());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void put(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(bytes.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(bytes);
        zip.closeEntry();
    }

    private void value(Object value) {
        switch (value) {
            case Map<?, ?> map -> {
                pickle.writeBytes("}(".getBytes(StandardCharsets.US_ASCII));
                map.forEach((key, item) -> {
                    value(key);
                    value(item);
                });
                pickle.write('u');
            }
            case List<?> list -> {
                pickle.writeBytes("](".getBytes(StandardCharsets.US_ASCII));
                list.forEach(this::value);
                pickle.write('e');
            }
            case String text -> text(text);
            case Boolean flag -> pickle.write(flag ? 0x88 : 0x89);
            case Integer number -> number(number);
            case Long number -> number(Math.toIntExact(number));
            case Size size -> {
                global("torch", "Size");
                pickle.write('(');
                tuple(size.dims());
                pickle.writeBytes("tR".getBytes(StandardCharsets.US_ASCII));
            }
            case Tensor tensor -> tensor(tensor);
            default -> {
                if (value != NONE) {
                    throw new IllegalArgumentException("cannot pickle " + value);
                }
                pickle.write('N');
            }
        }
    }

    private void text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        pickle.write('X');
        int32(bytes.length);
        pickle.writeBytes(bytes);
    }

    private void number(int number) {
        pickle.write('J');
        int32(number);
    }

    private void int32(int number) {
        pickle.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(number)
                .array());
    }

    private void global(String module, String name) {
        pickle.writeBytes(("c" + module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
    }

    private void tuple(List<Long> numbers) {
        pickle.write('(');
        numbers.forEach(this::value);
        pickle.write('t');
    }

    private void tensor(Tensor tensor) {
        int key = storages.computeIfAbsent(tensor.storage(), s -> storages.size());
        global("torch._utils", "_rebuild_tensor_v2");
        pickle.writeBytes("((".getBytes(StandardCharsets.US_ASCII));
        text("storage");
        global("torch", storageType(tensor.dtype()));
        text(Integer.toString(key));
        text("cpu");
        number(tensor.storage().length / tensor.dtype().byteWidth());
        pickle.writeBytes("tQ".getBytes(StandardCharsets.US_ASCII));
        number(Math.toIntExact(tensor.first()));
        tuple(tensor.shape());
        Long[] strides = new Long[tensor.shape().size()];
        long step = 1;
        for (int dim = strides.length - 1; dim >= 0; dim--) {
            strides[dim] = step;
            step *= Math.max(1, tensor.shape().get(dim));
        }
        tuple(List.of(strides));
        pickle.write(0x89);
        global("collections", "OrderedDict");
        pickle.writeBytes(")RtR".getBytes(StandardCharsets.US_ASCII));
    }

    private static String storageType(DType dtype) {
        return switch (dtype) {
            case F32 -> "FloatStorage";
            case BF16 -> "BFloat16Storage";
            case F16 -> "HalfStorage";
            case I64 -> "LongStorage";
            default -> throw new IllegalArgumentException("no storage of " + dtype);
        };
    }
}
