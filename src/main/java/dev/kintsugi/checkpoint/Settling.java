package dev.kintsugi.checkpoint;

import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Waits until files have stopped changing: no name, size or modification time among them differs for a while.
///
/// That is all it tells. A job that pauses longer between two files is not done, and looks as if it were.
///
/// **Units.** Time is what the clock counts, not what files say: theirs may be another machine's.
public final class Settling {
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);
    private static final Duration SHORTEST_PAUSE = Duration.ofMillis(1);

    private final List<Path> paths;
    private final Job job;
    private final Clock clock;

    private Settling(List<Path> paths, Job job, Clock clock) {
        this.paths = paths;
        this.job = job;
        this.clock = clock;
    }

    /// Time that only goes forward, and passing it.
    interface Clock {
        Clock SYSTEM = new Clock() {
            @Override
            public long nanos() {
                return System.nanoTime();
            }

            @Override
            public void sleep(Duration time) throws InterruptedException {
                Thread.sleep(time);
            }
        };

        long nanos();

        void sleep(Duration time) throws InterruptedException;
    }

    private record State(long byteCount, FileTime modified) {}

    /// Waits until no file at or below `paths` has changed for `quiet`, and tells `job` which one did last.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K9002` if the job is cancelled. What cannot be listed or is not
    /// there is waited for no longer than the rest: to refuse it is for those who read it.
    public static void await(List<Path> paths, Duration quiet, Job job) {
        await(paths, quiet, job, Clock.SYSTEM);
    }

    static void await(List<Path> paths, Duration quiet, Job job, Clock clock) {
        new Settling(paths, job, clock).await(quiet);
    }

    private void await(Duration quiet) {
        Duration tenth = quiet.dividedBy(10);
        Duration most = tenth.compareTo(LONGEST_PAUSE) < 0 ? tenth : LONGEST_PAUSE;
        Duration pause = most.compareTo(SHORTEST_PAUSE) < 0 ? SHORTEST_PAUSE : most;
        Map<Path, State> before = look();
        long since = clock.nanos();
        lastOf(Map.of(), before).ifPresent(this::tell);
        while (clock.nanos() - since < quiet.toNanos()) {
            sleep(pause);
            Map<Path, State> now = look();
            if (!now.equals(before)) {
                lastOf(before, now).ifPresent(this::tell);
                before = now;
                since = clock.nanos();
            }
        }
    }

    private void sleep(Duration time) {
        try {
            clock.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        job.check();
    }

    private void tell(Path file) {
        job.about(file.getFileName() + " changed last");
    }

    /// The file written last among those that are in only one of `before` and `now`, or differ.
    private static Optional<Path> lastOf(Map<Path, State> before, Map<Path, State> now) {
        Map<Path, State> changed = new HashMap<>(now);
        changed.entrySet().removeAll(before.entrySet());
        before.forEach((file, state) -> {
            if (!now.containsKey(file)) {
                changed.put(file, state);
            }
        });
        return changed.entrySet().stream()
                .max(Map.Entry.comparingByValue((a, b) -> a.modified().compareTo(b.modified())))
                .map(Map.Entry::getKey);
    }

    private Map<Path, State> look() {
        Map<Path, State> files = new HashMap<>();
        for (Path path : paths) {
            try {
                Files.walkFileTree(path.toRealPath(), new Look(files));
            } catch (IOException e) {
                // Not there, or no longer: its files are missing among the others.
            }
        }
        return files;
    }

    /// Files that come and go while they are listed are changes, not errors. Links are what they lead to, but those to
    /// directories are not followed.
    private final class Look extends SimpleFileVisitor<Path> {
        private final Map<Path, State> files;

        Look(Map<Path, State> files) {
            this.files = files;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            job.check();
            BasicFileAttributes target = attributes.isSymbolicLink() ? followed(file, attributes) : attributes;
            files.put(file, new State(target.size(), target.lastModifiedTime()));
            return FileVisitResult.CONTINUE;
        }

        private static BasicFileAttributes followed(Path link, BasicFileAttributes own) {
            try {
                return Files.readAttributes(link, BasicFileAttributes.class);
            } catch (IOException e) {
                return own;
            }
        }

        @Override
        public FileVisitResult visitFileFailed(Path file, IOException failure) {
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure) {
            return FileVisitResult.CONTINUE;
        }
    }
}
