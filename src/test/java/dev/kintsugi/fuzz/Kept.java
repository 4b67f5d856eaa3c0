package dev.kintsugi.fuzz;

import dev.kintsugi.Golden;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// Inputs that were found to reach code that no other reaches, or to break it once: an archive a target, in
/// `src/test/resources/fuzz`.
final class Kept {
    private static final int MAX_INPUT_BYTES = 8_000;
    private static final int MAX_BYTES = 100_000;
    private static final String RESOURCES = "fuzz";

    private Kept() {}

    /// The kept inputs of the target called `name`, none if it has none.
    static List<byte[]> of(String name) throws IOException {
        List<byte[]> inputs = new ArrayList<>();
        Path archive = Golden.resource(RESOURCES).resolve(name + ".zip");
        if (!Files.exists(archive)) {
            return inputs;
        }
        try (InputStream in = Files.newInputStream(archive);
                ZipInputStream zip = new ZipInputStream(in)) {
            while (zip.getNextEntry() != null) {
                inputs.add(zip.readAllBytes());
            }
        }
        return inputs;
    }

    /// Packs the files of `directory`, the smallest first and only as many as are good to keep, into `archive`.
    static int pack(Path directory, Path archive) throws IOException {
        List<byte[]> inputs = new ArrayList<>();
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.sorted().toList()) {
                inputs.add(Files.readAllBytes(file));
            }
        }
        inputs.sort(Comparator.<byte[]>comparingInt(b -> b.length).thenComparing(Arrays::compareUnsigned));
        int count = 0;
        int bytes = 0;
        try (OutputStream out = Files.newOutputStream(archive);
                ZipOutputStream zip = new ZipOutputStream(out)) {
            for (byte[] input : inputs) {
                bytes += input.length;
                if (input.length > MAX_INPUT_BYTES || bytes > MAX_BYTES) {
                    break;
                }
                ZipEntry entry = new ZipEntry(String.format("%04d-%08x", count, crc(input)));
                entry.setLastModifiedTime(FileTime.fromMillis(0));
                zip.putNextEntry(entry);
                zip.write(input);
                count++;
            }
        }
        return count;
    }

    private static long crc(byte[] input) {
        CRC32 crc = new CRC32();
        crc.update(input);
        return crc.getValue();
    }
}
