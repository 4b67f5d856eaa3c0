package dev.kintsugi.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Writes one rank's file as `torch.save` does, with DTensors of random BF16.
final class RankWriter {
    private static final int CHUNK = 1 << 20;
    private static final int MESH_MEMO = 0;

    /// A tensor of the file: its global shape, its local one, and its placements, one a mesh dim: `R`, the
    /// number of a dim that is sharded, or that and the split factor of a strided shard, as in `0/2`.
    record Entry(String name, long[] global, long[] local, List<String> placements) {
        long localBytes() {
            long count = 2;
            for (long dim : local) {
                count *= dim;
            }
            return count;
        }
    }

    private final List<Entry> entries;
    private final long[] meshShape;
    private final List<String> meshNames;

    RankWriter(List<Entry> entries, long[] meshShape, List<String> meshNames) {
        this.entries = entries;
        this.meshShape = meshShape;
        this.meshNames = meshNames;
    }

    void write(Path path, long seed) throws IOException {
        String stem = path.getFileName().toString().replace(".pt", "");
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 20);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            zip.setMethod(ZipOutputStream.STORED);
            put(zip, stem + "/data.pkl", pickle());
            put(zip, stem + "/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
            put(zip, stem + "/data/mesh", mesh());
            for (int i = 0; i < entries.size(); i++) {
                random(zip, stem + "/data/" + i, entries.get(i).localBytes(), seed * 1_000_003 + i);
            }
            put(zip, stem + "/version", "3\n".getBytes(StandardCharsets.US_ASCII));
        }
    }

    static void put(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        ZipEntry entry = new ZipEntry(name);
        entry.setSize(bytes.length);
        entry.setCompressedSize(bytes.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(bytes);
        zip.closeEntry();
    }

    static void random(ZipOutputStream zip, String name, long count, long seed) throws IOException {
        byte[] block = block(Math.min(count, CHUNK), seed);
        CRC32 crc = new CRC32();
        for (long at = 0; at < count; at += CHUNK) {
            crc.update(block, 0, (int) Math.min(CHUNK, count - at));
        }
        ZipEntry entry = new ZipEntry(name);
        entry.setSize(count);
        entry.setCompressedSize(count);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        for (long at = 0; at < count; at += CHUNK) {
            zip.write(block, 0, (int) Math.min(CHUNK, count - at));
        }
        zip.closeEntry();
    }

    /// `count` bytes of random values, another block for each MiB.
    static void random(OutputStream out, long count, long seed) throws IOException {
        for (long at = 0; at < count; at += CHUNK) {
            out.write(block(CHUNK, seed + at), 0, (int) Math.min(CHUNK, count - at));
        }
    }

    /// Random BF16 between -1 and 1.
    private static byte[] block(long count, long seed) {
        byte[] block = new byte[(int) count];
        new Random(seed).nextBytes(block);
        for (int i = 1; i < block.length; i += 2) {
            block[i] = (byte) (block[i] & 0x80 | 0x3c | block[i] & 0x03);
        }
        return block;
    }

    private byte[] mesh() {
        int size = ranks();
        byte[] bytes = new byte[size * 4];
        for (int rank = 0; rank < size; rank++) {
            bytes[rank * 4] = (byte) rank;
            bytes[rank * 4 + 1] = (byte) (rank >> 8);
        }
        return bytes;
    }

    private int ranks() {
        int size = 1;
        for (long dim : meshShape) {
            size *= (int) dim;
        }
        return size;
    }

    private byte[] pickle() {
        Pickler out = new Pickler();
        out.global("collections", "OrderedDict").op(')').reduce().mark();
        for (int i = 0; i < entries.size(); i++) {
            out.text(entries.get(i).name());
            dtensor(out, entries.get(i), i);
        }
        return out.op('u').finish();
    }

    private void dtensor(Pickler out, Entry entry, int key) {
        out.global("torch._tensor", "_rebuild_from_type_v2").mark();
        out.global("torch._utils", "_rebuild_wrapper_subclass").global("torch.distributed.tensor", "DTensor");
        out.mark().global("torch.distributed.tensor", "DTensor").global("torch", "bfloat16");
        out.tuple(entry.global()).tuple(strides(entry.global())).number(0);
        out.global("torch.serialization", "_get_layout")
                .mark()
                .text("torch.strided")
                .tuple()
                .reduce();
        out.global("torch", "device")
                .mark()
                .text("cpu")
                .tuple()
                .reduce()
                .op(0x89)
                .tuple();
        out.mark().op('N').op('}').mark();
        out.text("_local_tensor");
        tensor(out, "BFloat16Storage", Integer.toString(key), entry.local());
        out.text("_spec");
        spec(out, entry);
        out.op('u').tuple().tuple().reduce();
    }

    private void spec(Pickler out, Entry entry) {
        out.global("torch.distributed.tensor._dtensor_spec", "DTensorSpec")
                .newObject()
                .op('}')
                .mark();
        out.text("mesh");
        if (entry == entries.getFirst()) {
            mesh(out);
        } else {
            out.op('h').op(MESH_MEMO);
        }
        out.text("placements").mark();
        for (String placement : entry.placements()) {
            boolean strided = placement.contains("/");
            String kind = placement.equals("R") ? "Replicate" : strided ? "_StridedShard" : "Shard";
            out.global("torch.distributed.tensor.placement_types", kind)
                    .newObject()
                    .op('}');
            if (!placement.equals("R")) {
                String[] numbers = placement.split("/", -1);
                out.mark().text("dim").number(Long.parseLong(numbers[0]));
                if (strided) {
                    out.text("split_factor").number(Long.parseLong(numbers[1]));
                }
                out.op('u');
            }
            out.op('b');
        }
        out.tuple().op('u').op('b');
    }

    /// The mesh, which every tensor of a file shares.
    private void mesh(Pickler out) {
        out.global("torch.distributed.device_mesh", "DeviceMesh")
                .newObject()
                .op('}')
                .mark();
        out.text("device_type").text("cpu").text("mesh");
        tensor(out, "IntStorage", "mesh", meshShape);
        out.text("mesh_dim_names").mark();
        meshNames.forEach(out::text);
        out.tuple().op('u').op('b').op('q').op(MESH_MEMO);
    }

    static void tensor(Pickler out, String storage, String key, long[] shape) {
        long count = 1;
        for (long dim : shape) {
            count *= dim;
        }
        out.global("torch._utils", "_rebuild_tensor_v2").mark();
        out.mark()
                .text("storage")
                .global("torch", storage)
                .text(key)
                .text("cpu")
                .number(count)
                .tuple()
                .op('Q');
        out.number(0).tuple(shape).tuple(strides(shape)).op(0x89);
        out.global("collections", "OrderedDict").op(')').reduce().tuple().reduce();
    }

    private static long[] strides(long[] shape) {
        long[] strides = new long[shape.length];
        long step = 1;
        for (int dim = shape.length - 1; dim >= 0; dim--) {
            strides[dim] = step;
            step *= Math.max(1, shape[dim]);
        }
        return strides;
    }
}
