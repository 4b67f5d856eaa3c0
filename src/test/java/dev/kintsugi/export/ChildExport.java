package dev.kintsugi.export;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.nio.file.Path;

/// One export in a process of its own: SOURCE TARGET MAX_SHARD_BYTES THREADS.
final class ChildExport {
    private ChildExport() {}

    public static void main(String[] arguments) {
        try {
            ExportOptions options = Models.options(Long.parseLong(arguments[2]), false, false);
            Job job = new Job(Integer.parseInt(arguments[3]));
            ExportReport report = Models.export(Path.of(arguments[0]), Path.of(arguments[1]), options, job);
            System.out.println(report.files() + " files");
        } catch (Fault fault) {
            System.err.println(fault.code() + " " + fault.what());
            System.exit(fault.status().exitCode());
        }
    }
}
