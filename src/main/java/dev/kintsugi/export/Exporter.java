package dev.kintsugi.export;

import dev.kintsugi.export.BlockWriter.Segment;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// Writes what an [ExportPlan] says.
public final class Exporter {
    private static final long MARGIN_BYTES = 16L << 20;

    private final ExportPlan plan;
    private final Sources sources;
    private final Job job;

    /// What an export reads: where it lies, so that no target is put into it, and a check that it did not
    /// change.
    ///
    /// @param directories the sources' directories
    /// @param fingerprints what tells each source file from another version of it
    /// @param unchanged throws a [Fault] if a source changed
    public record Sources(List<Path> directories, List<String> fingerprints, Runnable unchanged) {
        public Sources {
            directories = List.copyOf(directories);
            fingerprints = List.copyOf(fingerprints);
        }
    }

    private Exporter(ExportPlan plan, Sources sources, Job job) {
        this.plan = plan;
        this.sources = sources;
        this.job = job;
    }

    /// Checks that `plan` can be carried out: the target is free, outside the sources, and fits on the disk.
    ///
    /// **Errors.** [Fault] `K4003`, `K4008`, `K5001`.
    public static void check(ExportPlan plan, Sources sources) {
        new Exporter(plan, sources, Job.quiet()).check();
    }

    /// Writes the plan's files and publishes them under the target's name. On any error the target is as it
    /// was.
    ///
    /// **Errors.** [Fault] `K4003`, `K4008`, `K4009` before anything is written; `K5001`, `K5002` from the
    /// disk; `K2401`, `K2402` where a source changed meanwhile; `K5004` where the output reads back wrong;
    /// `K9002` if cancelled.
    public static ExportReport write(ExportPlan plan, Sources sources, Job job) {
        return new Exporter(plan, sources, job).write();
    }

    private void check() {
        refuseOverlap();
        Path place = plan.target().toAbsolutePath().normalize();
        if (Files.exists(place) && !plan.options().replace() && !isEmptyDirectory(place)) {
            throw new Fault(
                    Code.K4003,
                    plan.target() + " exists",
                    "nothing is overwritten unasked",
                    "name another directory, or say --replace to swap it for the new one when that is complete");
        }
        refuseMountPoint(place);
        while (place != null && !Files.exists(place)) {
            place = place.getParent();
        }
        if (place == null) {
            return;
        }
        if (!Files.isDirectory(place) || !Files.isWritable(place)) {
            throw new Fault(
                    Code.K5002,
                    plan.target() + ": cannot be written",
                    place + (Files.isDirectory(place) ? " may not be written to" : " is no directory"),
                    "check the path and its permissions, or name another directory");
        }
        refuseTooLarge(place);
    }

    /// A directory on which a disk is mounted can neither be moved away nor be given another's name.
    private static void refuseMountPoint(Path place) {
        try {
            Path parent = Files.isDirectory(place) ? place.toRealPath().getParent() : null;
            if (parent != null && !Files.getFileStore(place).equals(Files.getFileStore(parent))) {
                throw new Fault(
                        Code.K5002,
                        place + ": is a mount point",
                        "an output takes its name when it is complete, which a mount point cannot give up",
                        "name a directory within it: " + place.resolve("model"));
            }
        } catch (IOException e) {
            throw Staging.cannotWrite(place, e);
        }
    }

    private static boolean isEmptyDirectory(Path path) {
        try (var list = Files.list(path)) {
            return list.findAny().isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    private void refuseOverlap() {
        Path target = real(plan.target());
        for (Path directory : sources.directories()) {
            Path source = real(directory);
            if (target.startsWith(source) || source.startsWith(target)) {
                throw new Fault(
                        Code.K4008,
                        plan.target()
                                + (target.equals(source) ? " is" : target.startsWith(source) ? " lies in" : " holds")
                                + " the source " + directory,
                        "an output may neither be put into what it is read from nor take its place",
                        "name a directory outside it");
            }
        }
    }

    private static Path real(Path path) {
        Path absolute = path.toAbsolutePath().normalize();
        Path existing = absolute;
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            return existing == null
                    ? absolute
                    : existing.toRealPath()
                            .resolve(existing.relativize(absolute))
                            .normalize();
        } catch (IOException e) {
            return absolute;
        }
    }

    private void refuseTooLarge(Path place) {
        long needed = plan.byteCount() + MARGIN_BYTES;
        try {
            FileStore store = Files.getFileStore(place);
            long free = store.getUsableSpace();
            if (free < needed) {
                throw new Fault(
                        Code.K5001,
                        String.format(
                                Locale.ROOT,
                                "%s: the output needs %,d bytes, the disk has %,d",
                                plan.target(),
                                needed,
                                free),
                        "nothing was written",
                        "free some space, or name a directory on another disk");
            }
        } catch (IOException e) {
            throw Staging.cannotWrite(place, e);
        }
    }

    private ExportReport write() {
        check();
        long start = System.nanoTime();
        try (Staging staging = Staging.open(plan.target(), plan.options())) {
            try {
                Journal journal = Journal.open(staging.directory(), Journal.fingerprint(plan, sources.fingerprints()));
                job.begin("write");
                int kept = writeFiles(staging.directory(), journal);
                job.begin("read back");
                sources.unchanged().run();
                checkWritten(staging.directory());
                journal.delete();
                job.begin("publish");
                staging.publish(plan.options().replace());
                return new ExportReport(
                        plan.target(),
                        plan.files().size(),
                        plan.tensorCount(),
                        plan.byteCount(),
                        System.nanoTime() - start,
                        kept,
                        plan.loss(),
                        plan.notes());
            } catch (UncheckedIOException e) {
                throw cannotWrite(Objects.requireNonNull(e.getCause()));
            } catch (IOException e) {
                throw cannotWrite(e);
            }
        }
    }

    /// As [Staging#cannotWrite]; a full disk is told with what is needed and what is there.
    private Fault cannotWrite(IOException e) {
        Fault fault = Staging.cannotWrite(plan.target(), e);
        if (fault.code() != Code.K5001) {
            return fault;
        }
        return new Fault(
                Code.K5001,
                fault.what(),
                String.format(
                        Locale.ROOT,
                        "the output needs %,d bytes in all, %,d are free; %s",
                        plan.byteCount(),
                        freeBytes(),
                        fault.why()),
                fault.next(),
                e);
    }

    private long freeBytes() {
        try {
            return Files.getFileStore(
                            Optional.ofNullable(plan.target().toAbsolutePath().getParent())
                                    .orElse(plan.target()))
                    .getUsableSpace();
        } catch (IOException e) {
            return 0;
        }
    }

    private int writeFiles(Path directory, Journal journal) throws IOException {
        job.expect(plan.files().stream()
                .filter(PlannedFile.Weights.class::isInstance)
                .mapToLong(PlannedFile::byteCount)
                .sum());
        Map<String, String> finished = journal.finished();
        List<PlannedFile.Weights> open = new ArrayList<>();
        int kept = 0;
        for (PlannedFile file : plan.files()) {
            Path path = directory.resolve(file.name());
            Files.createDirectories(Optional.ofNullable(path.getParent()).orElse(directory));
            switch (file) {
                case PlannedFile.Weights weights -> {
                    String checksum = finished.get(file.name());
                    if (checksum != null && Checksums.of(path, weights).equals(checksum)) {
                        kept++;
                        job.advance(weights.byteCount());
                    } else {
                        open.add(weights);
                    }
                }
                case PlannedFile.Text text -> writeSynced(path, text.bytes());
                case PlannedFile.Copy copy -> copy(copy, path);
            }
        }
        writeWeights(directory, open, journal);
        return kept;
    }

    private static void writeSynced(Path path, byte[] bytes) throws IOException {
        try (FileChannel channel = create(path)) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
    }

    private static void copy(PlannedFile.Copy copy, Path path) throws IOException {
        Files.copy(copy.source(), path, StandardCopyOption.REPLACE_EXISTING);
        if (Files.size(path) != copy.byteCount() || !copy.unchanged()) {
            throw new Fault(
                    Code.K2401,
                    copy.source() + ": changed since the export was planned",
                    "another process wrote to it: it had " + copy.byteCount() + " bytes of " + copy.modified()
                            + ", and has " + Files.size(copy.source()) + " of "
                            + Files.getLastModifiedTime(copy.source()),
                    "wait until nobody writes to it, then export again");
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    private static FileChannel create(Path path) throws IOException {
        return FileChannel.open(
                path,
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING,
                LinkOption.NOFOLLOW_LINKS);
    }

    /// A run of one file's elements, as one task.
    private record Task(OpenFile file, Segment segment) {
        /// Elements that are looked at before this task can go on; whoever needs them too must wait meanwhile.
        long earlierElements() {
            Tensor tensor = segment.tensor();
            return segment.firstElement() == 0 && tensor.earlierSweeps() > 0
                    ? tensor.spec().elementCount()
                    : 0;
        }
    }

    private void writeWeights(Path directory, List<PlannedFile.Weights> files, Journal journal) throws IOException {
        List<OpenFile> open = new ArrayList<>();
        try (BlockWriter writer = new BlockWriter(job)) {
            List<Task> tasks = new ArrayList<>();
            for (PlannedFile.Weights weights : files) {
                OpenFile file = new OpenFile(weights, create(directory.resolve(weights.name())));
                open.add(file);
                file.begin();
                List<Segment> segments = segments(weights);
                file.expect(segments);
                segments.forEach(s -> tasks.add(new Task(file, s)));
                if (segments.isEmpty()) {
                    file.finish(journal);
                }
            }
            tasks.sort(Comparator.comparingLong(Task::earlierElements).reversed());
            Parallel.map(job, tasks, task -> {
                try {
                    int crc = writer.write(task.segment(), task.file().channel);
                    task.file().written(task.segment(), crc, journal);
                    return crc;
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } finally {
            for (OpenFile file : open) {
                file.channel.close();
            }
        }
    }

    /// The runs into which a file's tensors are cut, in file order.
    static List<Segment> segments(PlannedFile.Weights weights) {
        List<Segment> segments = new ArrayList<>();
        weights.layout().offsets().forEach((name, offset) -> {
            Tensor tensor = weights.tensors().get(name);
            if (tensor == null) {
                throw new IllegalStateException("the layout has " + name + ", the file has not");
            }
            int width = tensor.spec().dtype().byteWidth();
            long perSegment = BlockWriter.SEGMENT_BYTES / width;
            long count = tensor.spec().elementCount();
            for (long from = 0; from < count; from += perSegment) {
                segments.add(new Segment(tensor, from, Math.min(perSegment, count - from), offset + from * width));
            }
        });
        return segments;
    }

    /// A weight file that is being written; the last segment makes it durable.
    private final class OpenFile {
        private final PlannedFile.Weights weights;
        private final FileChannel channel;
        private final WriteBack disk;
        private final Map<Long, Integer> crcs = new HashMap<>();
        private List<Segment> expected = List.of();

        OpenFile(PlannedFile.Weights weights, FileChannel channel) {
            this.weights = weights;
            this.channel = channel;
            this.disk = new WriteBack(channel);
        }

        void begin() throws IOException {
            ByteBuffer head = ByteBuffer.wrap(weights.layout().head());
            while (head.hasRemaining()) {
                channel.write(head, head.position());
            }
        }

        void expect(List<Segment> segments) {
            expected = segments;
        }

        void written(Segment segment, int crc, Journal journal) throws IOException {
            boolean last;
            synchronized (this) {
                crcs.put(segment.fileOffset(), crc);
                last = crcs.size() == expected.size();
            }
            if (last) {
                finish(journal);
            } else {
                disk.written(segment.byteCount());
            }
        }

        void finish(Journal journal) throws IOException {
            long start = System.nanoTime();
            disk.finish();
            job.waitedForDisk(System.nanoTime() - start);
            journal.finish(weights.name(), Checksums.combine(expected, crcs));
        }
    }

    /// Opens every file anew and compares its structure with the plan.
    private void checkWritten(Path directory) throws IOException {
        for (PlannedFile file : plan.files()) {
            Path path = directory.resolve(file.name());
            if (Files.size(path) != file.byteCount()) {
                throw wrong(file.name() + " has " + Files.size(path) + " bytes, planned were " + file.byteCount());
            }
            if (file instanceof PlannedFile.Weights weights) {
                try (MappedFile mapped = MappedFile.open(path)) {
                    Map<String, TensorSpec> found = new LinkedHashMap<>();
                    SafetensorsFile.open(mapped).tensors().forEach((name, tensor) -> found.put(name, tensor.spec()));
                    Map<String, TensorSpec> planned = new LinkedHashMap<>();
                    weights.tensors().forEach((name, tensor) -> planned.put(name, tensor.spec()));
                    if (!found.equals(planned)) {
                        throw wrong(file.name() + " does not hold the tensors that were written");
                    }
                }
            }
        }
    }

    private Fault wrong(String what) {
        return new Fault(
                Code.K5004,
                plan.target() + ": " + what,
                "the disk, or another program, changed the output while it was written",
                "export again, to another disk if it happens twice");
    }
}
