package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ChildJvm;
import dev.kintsugi.PickleBytes;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Sources that change while a command of a shell in its own JVM reads them: exit 3, never a dead JVM (134).
class ChangingSourceTest {
    private static final int TENSORS = 40;

    @TempDir
    Path scratch;

    /// A model of zeros that takes no room on the disk.
    private Path sparse(long tensorBytes) throws IOException {
        Path source = Files.createDirectories(scratch.resolve("source"));
        List<String> entries = new ArrayList<>();
        for (int i = 0; i < TENSORS; i++) {
            entries.add(SafetensorsBytes.entry(
                    "layers." + i + ".weight",
                    "BF16",
                    "[" + tensorBytes / 2 + "]",
                    i * tensorBytes,
                    (i + 1) * tensorBytes));
        }
        Path file = source.resolve("model.safetensors");
        Files.write(file, SafetensorsBytes.of("{" + String.join(",", entries) + "}", 0));
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            random.setLength(random.length() + TENSORS * tensorBytes);
        }
        Files.writeString(source.resolve("config.json"), "{}");
        return source;
    }

    @DisplayName("R-01, R-02, R-03, R-04, R-05 export of a source that changes ends with status 3")
    @ParameterizedTest
    @CsvSource({"truncate,K240", "replace,K2401", "overwrite,K2401", "grow,K2401"})
    void exportOfAChangingSourceEndsWithStatus3(String how, String code) throws IOException {
        Path source = sparse(3 << 20);
        Path target = scratch.resolve("out");
        Path part = scratch.resolve(".out.kintsugi-part/model.safetensors");
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .optimised()
                .run(
                        ChildShell.class.getName(),
                        source.resolve("model.safetensors").toString(),
                        how,
                        part.toString(),
                        "open " + source + " --as m",
                        "export m " + target + " --keys as-is --threads 2");
        assertEquals(3, ended.status(), ended.err());
        assertTrue(ended.err().contains("error[" + code), ended.err());
        assertFalse(Files.exists(target));
        assertFalse(Files.exists(part.getParent()));
    }

    @DisplayName("R-01, R-02, R-03, R-04 validate --data of a source that changes ends with status 3")
    @ParameterizedTest
    @CsvSource({"truncate,K240", "replace,K2401", "overwrite,K2401", "grow,K2401"})
    void validateOfAChangingSourceEndsWithStatus3(String how, String code) throws IOException {
        Path source = sparse(8 << 20);
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .optimised()
                .run(
                        ChildShell.class.getName(),
                        source.resolve("model.safetensors").toString(),
                        how,
                        "progress",
                        "open " + source + " --as m",
                        "validate m --data --keys as-is");
        assertEquals(3, ended.status(), ended.err());
        assertTrue(ended.err().contains("error[" + code), ended.err());
    }

    @DisplayName("R-01, R-02, R-03, R-04, R-05 stats and diff of a source that changes end with status 3")
    @ParameterizedTest
    @CsvSource({
        "stats m,truncate,K240",
        "stats m,replace,K2401",
        "stats m,overwrite,K2401",
        "stats m,grow,K2401",
        "diff m m,truncate,K240",
        "diff m m,replace,K2401",
        "diff m m,overwrite,K2401",
        "diff m m,grow,K2401"
    })
    void aLookAtAChangingSourceEndsWithStatus3(String line, String how, String code) throws IOException {
        Path source = sparse(8 << 20);
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .optimised()
                .run(
                        ChildShell.class.getName(),
                        source.resolve("model.safetensors").toString(),
                        how,
                        "progress",
                        "open " + source + " --as m",
                        line);
        assertEquals(3, ended.status(), ended.err());
        assertTrue(ended.err().contains("error[" + code), ended.err());
    }

    @DisplayName("R-01, R-02, R-03, R-04 commands on a torch archive that changes end with status 3")
    @ParameterizedTest
    @CsvSource({
        "export m OUT --keys as-is --threads 1,truncate,K240",
        "export m OUT --keys as-is --threads 1,overwrite,K2401",
        "validate m --data --keys as-is,truncate,K240",
        "stats m,truncate,K240",
        "stats m,replace,K2401",
        "diff m m,truncate,K240"
    })
    void commandsOnAChangingArchiveEndWithStatus3(String line, String how, String code) throws IOException {
        Path file = archive(1 << 27);
        Path target = scratch.resolve("out");
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .run(
                        ChildShell.class.getName(),
                        file.toString(),
                        how,
                        "progress",
                        "set threads 1",
                        "open " + file + " --as m",
                        line.replace("OUT", target.toString()));
        assertEquals(3, ended.status(), ended.out() + ended.err());
        assertTrue(ended.err().contains("error[" + code), ended.err());
        assertFalse(Files.exists(target));
    }

    /// A file of torch.save that holds one tensor of zeros.
    private Path archive(int bytes) throws IOException {
        Path file = Files.createDirectories(scratch.resolve("source")).resolve("model.pt");
        PickleBytes pickle = PickleBytes.proto2().op('}').text("w").vector("0", bytes / 4);
        return Files.write(file, ZipBytes.torch(pickle.op('s').stop(), "0", new byte[bytes]));
    }

    @DisplayName("R-01, R-02, R-03, R-04 verify of an archive that changes ends with status 3")
    @ParameterizedTest
    @CsvSource({"truncate,K2402", "replace,K2401", "overwrite,K2401", "grow,K2401"})
    void verifyOfAChangingArchiveEndsWithStatus3(String how, String code) throws IOException {
        Path file = archive(1 << 26);
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .run(ChildShell.class.getName(), file.toString(), how, "progress", "set threads 1", "verify " + file);
        assertEquals(3, ended.status(), ended.out() + ended.err());
        assertTrue(ended.out().contains(code), ended.out() + ended.err());
    }
}
