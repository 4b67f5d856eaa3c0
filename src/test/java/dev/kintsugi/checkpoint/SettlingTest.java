package dev.kintsugi.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Waiting for files, by a clock on which things happen at given seconds.
class SettlingTest {
    @TempDir
    Path directory;

    private final Job job = new Job(1);

    private interface Change {
        void make() throws IOException;
    }

    /// Time passes only by sleeping.
    private static final class Script implements Settling.Clock {
        private final TreeMap<Long, Change> changes;
        private final List<Duration> sleeps = new ArrayList<>();
        private long nanos = Long.MAX_VALUE - 5;

        Script(Map<Long, Change> changes) {
            this.changes = new TreeMap<>(changes);
        }

        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public void sleep(Duration time) {
            sleeps.add(time);
            nanos += time.toNanos();
            while (!changes.isEmpty() && Duration.ofSeconds(changes.firstKey()).compareTo(passed()) <= 0) {
                try {
                    changes.pollFirstEntry().getValue().make();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        }

        Duration passed() {
            return sleeps.stream().reduce(Duration.ZERO, Duration::plus);
        }
    }

    private Path write(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(directory.resolve(name).getParent());
        return Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private Duration waited(int seconds, Map<Long, Change> changes) {
        Script clock = new Script(changes);
        Settling.await(List.of(directory), Duration.ofSeconds(seconds), job, clock);
        return clock.passed();
    }

    @DisplayName("R-04 what does not change is waited for as long as asked, and no longer")
    @Test
    void stillFilesAreWaitedForOnce() throws IOException {
        write("a", "1");
        Script clock = new Script(Map.of());
        Settling.await(List.of(directory), Duration.ofSeconds(30), job, clock);
        assertEquals(Duration.ofSeconds(30), clock.passed());
        assertEquals(30, clock.sleeps.size(), "a look each second");
    }

    @DisplayName("R-04 a name, a size or a time that changes, at any depth, begins the wait anew")
    @Test
    void eachKindOfChangeBeginsAnew() throws IOException {
        Path grows = write("deep/er/a", "1");
        Path touched = write("b", "1");
        Path gone = write("c", "1");
        FileTime time = Files.getLastModifiedTime(grows);
        assertEquals(
                Duration.ofSeconds(3 + 10),
                waited(10, Map.of(3L, () -> Files.setLastModifiedTime(write("deep/er/a", "2"), time))));
        assertEquals(
                Duration.ofSeconds(4 + 10),
                waited(10, Map.of(4L, () -> Files.setLastModifiedTime(touched, FileTime.fromMillis(5)))));
        assertEquals(Duration.ofSeconds(5 + 10), waited(10, Map.of(5L, () -> write("new", ""))));
        assertEquals(Duration.ofSeconds(6 + 10), waited(10, Map.of(6L, () -> Files.delete(gone))));
        assertEquals(
                Duration.ofSeconds(9 + 9 + 10),
                waited(10, Map.of(9L, () -> write("b", "x"), 18L, () -> write("b", "y"))));
    }

    @DisplayName("R-04 it tells which file changed last")
    @Test
    void theFileThatChangedLastIsTold() throws IOException {
        Files.setLastModifiedTime(write("old", "1"), FileTime.fromMillis(1000));
        Files.setLastModifiedTime(write("young", "1"), FileTime.fromMillis(2000));
        waited(2, Map.of());
        assertEquals("young changed last", job.about());
        waited(20, Map.of(3L, () -> write("old", "2")));
        assertEquals("old changed last", job.about());
    }

    @DisplayName("R-04 a link is what it leads to; a loop of links, or one that leads nowhere, does no harm")
    @Test
    void linksAreWhatTheyLeadTo(@TempDir Path elsewhere) throws IOException {
        Path blob = Files.writeString(elsewhere.resolve("blob"), "1");
        Files.createSymbolicLink(directory.resolve("model"), blob);
        Files.createSymbolicLink(directory.resolve("loop"), directory);
        Files.createSymbolicLink(directory.resolve("nowhere"), directory.resolve("none"));
        assertEquals(Duration.ofSeconds(14), waited(10, Map.of(4L, () -> Files.writeString(blob, "22"))));
    }

    @DisplayName("R-04 a short time is looked at ten times")
    @Test
    void aShortTimeIsLookedAtTenTimes() {
        Script clock = new Script(Map.of());
        Settling.await(List.of(directory), Duration.ofMillis(300), job, clock);
        assertEquals(10, clock.sleeps.size());
        Script shortest = new Script(Map.of());
        Settling.await(List.of(directory), Duration.ofMillis(1), job, shortest);
        assertEquals(List.of(Duration.ofMillis(1)), shortest.sleeps);
    }

    @DisplayName("R-04, R-08 a wait is cancelled, however long it is")
    @Test
    void aWaitIsCancelled() {
        Script clock = new Script(Map.of(2L, job::cancel));
        Fault fault = assertThrows(
                Fault.class, () -> Settling.await(List.of(directory), Duration.ofHours(999_999), job, clock));
        assertEquals(Code.K9002, fault.code());
        assertTrue(clock.passed().compareTo(Duration.ofSeconds(3)) < 0, clock.passed()::toString);
    }
}
