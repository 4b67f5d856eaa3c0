package dev.kintsugi.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedFileTest {
    private static final int LONG_RUN = 200_000;

    @TempDir
    Path scratch;

    private final byte[] bytes = new byte[300_000];

    private Path written(String name) throws IOException {
        new Random(1).nextBytes(bytes);
        return Files.write(scratch.resolve(name), bytes);
    }

    private static byte[] read(MappedFile file, long offset, int count, boolean intoNative) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment target = intoNative ? arena.allocate(count + 7) : MemorySegment.ofArray(new byte[count + 7]);
            file.read(offset, count, target, 7);
            return target.asSlice(7, count).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void longAndShortRunsAreTheSameBytesIntoAnyMemory() throws IOException {
        try (MappedFile file = MappedFile.open(written("model"))) {
            for (int count : new int[] {0, 1, 64, 65, 65_535, 65_536, LONG_RUN}) {
                byte[] expected = Arrays.copyOfRange(bytes, 1234, 1234 + count);
                assertArrayEquals(expected, read(file, 1234, count, true), "native, " + count);
                assertArrayEquals(expected, read(file, 1234, count, false), "heap, " + count);
            }
        }
    }

    @Test
    void anInterruptedThreadAndThoseAfterItStillRead() throws IOException {
        try (MappedFile file = MappedFile.open(written("model"))) {
            byte[] expected = Arrays.copyOfRange(bytes, 99, 99 + LONG_RUN);
            Thread.currentThread().interrupt();
            byte[] whileInterrupted = read(file, 99, LONG_RUN, true);
            assertTrue(Thread.interrupted(), "the interruption was swallowed");
            assertArrayEquals(expected, whileInterrupted);
            assertArrayEquals(expected, read(file, 99, LONG_RUN, true));
        }
    }

    @Test
    void aLongRunBeyondTheEndOfAFileThatShrankIsToldAsThat() throws IOException {
        Path path = written("model");
        try (MappedFile file = MappedFile.open(path)) {
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
                channel.truncate(100_000);
            }
            Fault fault = assertThrows(Fault.class, () -> read(file, 50_000, LONG_RUN, true));
            assertEquals(Code.K2402, fault.code());
            assertTrue(fault.getMessage().contains("at byte 100000"), fault.getMessage());
        }
    }

    @Test
    void moreFilesThanAreKeptOpenAreReadAllTheSame() throws IOException {
        Path path = written("model");
        List<MappedFile> open = new ArrayList<>();
        try {
            for (int i = 0; i < 300; i++) {
                open.add(MappedFile.open(path));
            }
            byte[] expected = Arrays.copyOfRange(bytes, 0, LONG_RUN);
            for (MappedFile file : open) {
                assertArrayEquals(expected, read(file, 0, LONG_RUN, true));
            }
        } finally {
            open.forEach(MappedFile::close);
        }
    }
}
