package dev.kintsugi.inspect;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;

/// Checks files against their own structure and checksums: every record of every zip archive, record sizes
/// against the directory, storages against the tensors over them. Tells damage that `torch.load` does not
/// see.
///
/// **Memory.** Threads times a block. **Errors.** Damage is a finding, not a fault; [Fault] `K1010` for no
/// such path, `K5003` for a directory that cannot be read, `K9002` if the job was cancelled.
/// **Limits.** Safetensors files have no checksums and are skipped; so is whatever else is no archive. Of a DCP
/// checkpoint the chunks of tensors are checked, found by `.metadata`, and no other entries.
public record Verify(List<FileVerdict> files) {
    private static final int MAX_DEPTH = 16;

    public Verify {
        files = List.copyOf(files);
    }

    /// Checks the files at `paths`, and below those that are directories, in the order of their names.
    public static Verify of(List<Path> paths, Job job) {
        TreeSet<Path> files = new TreeSet<>();
        paths.forEach(path -> collect(path, files));
        MappedFiles mapped = new MappedFiles();
        try {
            Map<Path, DcpMetadata> known = new HashMap<>();
            List<FileCheck> checks = new ArrayList<>();
            for (Path file : files) {
                job.check();
                checks.add(FileCheck.open(file, mapped, known));
            }
            List<FileCheck.Unread> records =
                    checks.stream().flatMap(c -> c.records().stream()).toList();
            records.forEach(r -> job.expect(r.byteCount()));
            BlockReader.Pool<Checksum> pool = new BlockReader.Pool<>(Checksum::new);
            List<Checksum.Result> results = Parallel.map(job, records, record -> pool.with(sum -> sum.of(record, job)));
            List<FileVerdict> verdicts = new ArrayList<>();
            int next = 0;
            for (FileCheck check : checks) {
                int count = check.records().size();
                verdicts.add(check.verdict(results.subList(next, next + count)));
                next += count;
            }
            return new Verify(verdicts);
        } finally {
            mapped.close();
        }
    }

    /// Whether no file is damaged.
    public boolean passed() {
        return files.stream().noneMatch(f -> f.verdict() == FileVerdict.Verdict.DAMAGED);
    }

    private static void collect(Path path, TreeSet<Path> files) {
        if (!Files.exists(path)) {
            throw new Fault(Code.K1010, path + ": no such file or directory", "nothing is there", "check the path");
        }
        if (!Files.isDirectory(path) && !Files.isRegularFile(path)) {
            throw new Fault(
                    Code.K5003,
                    path + ": neither a file nor a directory",
                    "a pipe or a device has no end that could be checked",
                    "give the file itself");
        }
        try (Stream<Path> walk = Files.walk(path, MAX_DEPTH)) {
            walk.filter(Files::isRegularFile).forEach(files::add);
        } catch (IOException | UncheckedIOException e) {
            throw new Fault(
                    Code.K5003,
                    path + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the permissions of the directory",
                    e);
        }
    }
}
