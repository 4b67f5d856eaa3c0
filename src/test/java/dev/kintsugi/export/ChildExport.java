package dev.kintsugi.export;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.nio.file.Path;

/// One export in a process of its own: SOURCE TARGET MAX_SHARD_BYTES THREADS [HALT_AFTER_BYTES].
///
/// With the last the process is gone as soon as that many bytes are done: nothing is closed, no `finally` runs.
final class ChildExport {
    private ChildExport() {}

    public static void main(String[] arguments) {
        try {
            ExportOptions options = Models.options(Long.parseLong(arguments[2]), false, false);
            Job job = new Job(Integer.parseInt(arguments[3]));
            if (arguments.length > 4) {
                haltAfter(Long.parseLong(arguments[4]), job);
            }
            ExportReport report = Models.export(Path.of(arguments[0]), Path.of(arguments[1]), options, job);
            System.out.println(report.files() + " files");
        } catch (Fault fault) {
            System.err.println(fault.code() + " " + fault.what());
            System.exit(fault.status().exitCode());
        }
    }

    private static void haltAfter(long bytes, Job job) {
        Thread.ofPlatform().daemon().start(() -> {
            while (job.doneBytes() < bytes) {
                Thread.onSpinWait();
            }
            Runtime.getRuntime().halt(137);
        });
    }
}
