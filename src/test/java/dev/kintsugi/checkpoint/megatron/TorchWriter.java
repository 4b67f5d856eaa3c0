package dev.kintsugi.checkpoint.megatron;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Writes files of `torch.save` for tests, from maps, lists, arrays (tuples), numbers, texts and the records
/// here.
final class TorchWriter {
    /// Something importable.
    record Global(String module, String name) {}

    /// An object with a state.
    record Built(Global type, Object state) {}

    /// A call.
    record Called(Global function, Object... arguments) {}

    /// A BF16 tensor.
    @SuppressWarnings("ArrayRecordComponent")
    record Values(int[] shape, short[] elements) {
        /// The same numbers in F32.
        Widened widened() {
            return new Widened(this);
        }
    }

    /// A tensor in F32 whose numbers are those of one in BF16.
    record Widened(Values values) {}

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);
    private final List<byte[]> storages = new ArrayList<>();

    private TorchWriter() {}

    static Called size(int... dims) {
        Object[] items = new Object[dims.length];
        for (int i = 0; i < dims.length; i++) {
            items[i] = dims[i];
        }
        return new Called(new Global("torch", "Size"), (Object) items);
    }

    /// The pickle of `root` alone.
    static byte[] pickle(Object root) throws IOException {
        return new TorchWriter().pickled(root);
    }

    /// A whole file.
    static byte[] save(Object root) throws IOException {
        TorchWriter writer = new TorchWriter();
        byte[] pickle = writer.pickled(root);
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(file)) {
            stored(zip, "archive/data.pkl", pickle);
            stored(zip, "archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
            for (int i = 0; i < writer.storages.size(); i++) {
                stored(zip, "archive/data/" + i, writer.storages.get(i));
            }
            stored(zip, "archive/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        }
        return file.toByteArray();
    }

    private static void stored(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    private byte[] pickled(Object root) throws IOException {
        out.write(new byte[] {(byte) 0x80, 2});
        write(root);
        out.write('.');
        return bytes.toByteArray();
    }

    private void write(Object value) throws IOException {
        switch (value) {
            case null -> out.write('N');
            case Boolean flag -> out.write(flag ? 0x88 : 0x89);
            case Integer number -> {
                out.write('J');
                out.writeInt(Integer.reverseBytes(number));
            }
            case Double number -> {
                out.write('G');
                out.writeDouble(number);
            }
            case String text -> {
                byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
                out.write('X');
                out.writeInt(Integer.reverseBytes(utf8.length));
                out.write(utf8);
            }
            case Global global -> out.writeBytes("c" + global.module() + "\n" + global.name() + "\n");
            case Object[] tuple -> {
                out.write('(');
                for (Object item : tuple) {
                    write(item);
                }
                out.write('t');
            }
            case List<?> list -> {
                out.writeBytes("](");
                for (Object item : list) {
                    write(item);
                }
                out.write('e');
            }
            case Map<?, ?> map -> {
                out.writeBytes("}(");
                for (Map.Entry<?, ?> entry : map.entrySet()) {
                    write(entry.getKey());
                    write(entry.getValue());
                }
                out.write('u');
            }
            case Called call -> {
                write(call.function());
                write(call.arguments());
                out.write('R');
            }
            case Built built -> {
                write(built.type());
                out.write(')');
                out.write(0x81);
                write(built.state());
                out.write('b');
            }
            case Values tensor -> tensor(tensor, false);
            case Widened tensor -> tensor(tensor.values(), true);
            default -> throw new IllegalArgumentException("no pickle of " + value.getClass());
        }
    }

    private void tensor(Values tensor, boolean widened) throws IOException {
        Object[] shape = new Object[tensor.shape().length];
        Object[] strides = new Object[shape.length];
        int step = 1;
        for (int dim = shape.length - 1; dim >= 0; dim--) {
            shape[dim] = tensor.shape()[dim];
            strides[dim] = step;
            step *= tensor.shape()[dim];
        }
        out.writeBytes("ctorch._utils\n_rebuild_tensor_v2\n(");
        write(new Object[] {
            "storage",
            new Global("torch", widened ? "FloatStorage" : "BFloat16Storage"),
            Integer.toString(storages.size()),
            "cpu",
            tensor.elements().length
        });
        out.write('Q');
        storages.add(bytes(tensor.elements(), widened));
        write(0);
        write(shape);
        write(strides);
        write(false);
        write(new Called(new Global("collections", "OrderedDict")));
        out.writeBytes("tR");
    }

    private static byte[] bytes(short[] elements, boolean widened) {
        ByteBuffer buffer =
                ByteBuffer.allocate(elements.length * (widened ? 4 : 2)).order(ByteOrder.LITTLE_ENDIAN);
        for (short element : elements) {
            if (widened) {
                buffer.putShort((short) 0);
            }
            buffer.putShort(element);
        }
        return buffer.array();
    }
}
