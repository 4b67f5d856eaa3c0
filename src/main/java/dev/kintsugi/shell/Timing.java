package dev.kintsugi.shell;

import dev.kintsugi.work.Job;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Where the time of one command went: its jobs and their parts, what the process used for it, what it waited for.
final class Timing {
    private final List<Step> steps = new ArrayList<>();
    private final long startNanos = System.nanoTime();
    private final Duration startCpu = cpu();
    private long diskWaitNanos;

    private record Step(String name, long nanos, long bytes) {
        String line() {
            String rate = bytes == 0
                    ? ""
                    : String.format(Locale.ROOT, "  %8s  %10s/s", Units.bytes(bytes), Units.bytes((long)
                            (bytes / Math.max(nanos / 1e9, 1e-9))));
            return String.format(Locale.ROOT, "  %-22s %8.3f s%s", name, nanos / 1e9, rate);
        }
    }

    /// Adds a job called `title` that began at `jobStart` and has ended now.
    void add(String title, Job job, long jobStart) {
        long end = System.nanoTime();
        List<Job.Part> parts = job.parts();
        if (parts.isEmpty()) {
            steps.add(new Step(title, end - jobStart, job.doneBytes()));
        }
        for (int i = 0; i < parts.size(); i++) {
            Job.Part part = parts.get(i);
            boolean last = i + 1 == parts.size();
            long until = last ? end : parts.get(i + 1).startNanos();
            long bytes = (last ? job.doneBytes() : parts.get(i + 1).startBytes()) - part.startBytes();
            steps.add(new Step(title + ": " + part.name(), until - part.startNanos(), bytes));
        }
        diskWaitNanos += job.diskWaitNanos();
    }

    /// Adds a command within this one, that has ended now.
    void add(String command, Timing within) {
        steps.add(new Step(command, System.nanoTime() - within.startNanos, 0));
        diskWaitNanos += within.diskWaitNanos;
    }

    /// Prints it under the command's name; `other` is what no job took.
    void print(String command, Console console) {
        long total = System.nanoTime() - startNanos;
        long known = steps.stream().mapToLong(Step::nanos).sum();
        StringBuilder text = new StringBuilder("timing: " + command + "\n");
        steps.forEach(s -> text.append(s.line()).append('\n'));
        text.append(new Step("other", Math.max(0, total - known), 0).line()).append('\n');
        text.append(new Step("in all", total, 0).line());
        text.append(
                String.format(Locale.ROOT, ", CPU %.3f s", cpu().minus(startCpu).toNanos() / 1e9));
        if (diskWaitNanos > 0) {
            text.append(String.format(Locale.ROOT, ", waited for the disk %.3f s", diskWaitNanos / 1e9));
        }
        Runtime runtime = Runtime.getRuntime();
        text.append(", heap ")
                .append(Units.bytes(runtime.totalMemory() - runtime.freeMemory()))
                .append(" of ")
                .append(Units.bytes(runtime.maxMemory()));
        peakResident().ifPresent(peak -> text.append(", resident at most ").append(peak));
        console.err().println(text);
        console.err().flush();
    }

    private static Duration cpu() {
        return ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO);
    }

    /// How long the JVM has run.
    static String sinceStart() {
        return Units.seconds(ManagementFactory.getRuntimeMXBean().getUptime() / 1e3);
    }

    /// The most memory that was resident, mapped files included; Linux alone says.
    private static Optional<String> peakResident() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(l -> l.startsWith("VmHWM:"))
                    .map(l -> Units.bytes(Long.parseLong(l.replaceAll("\\D", "")) * 1024))
                    .findFirst();
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }
}
