package dev.kintsugi.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// One run of a process: how long it took, and the most memory it held.
///
/// **Units.** Seconds, `cpuSeconds` of all threads; KiB, `anonymous` without the pages of mapped files, 0 where the
/// system does not tell.
record Trial(double seconds, double cpuSeconds, long peakKib, long anonymousKib) {
    private static final int POLL_MILLIS = 20;

    /// The status of a comparison that found differences.
    private static final int DIFFERENT = 1;

    /// Runs `command` and waits for its end. **Errors.** [IllegalStateException] if it fails.
    static Trial of(Map<String, String> environment, List<String> command) throws IOException, InterruptedException {
        Path log = Files.createTempFile("kintsugi-bench", ".log");
        try {
            ProcessBuilder builder =
                    new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
            builder.environment().putAll(environment);
            long start = System.nanoTime();
            Process process = builder.start();
            process.getOutputStream().close();
            long peak = 0;
            long anonymous = 0;
            double cpu = 0;
            while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                peak = Math.max(peak, kib(process, "VmHWM:"));
                anonymous = Math.max(anonymous, kib(process, "RssAnon:"));
                cpu = Math.max(cpu, cpuSeconds(process));
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            if (process.exitValue() != 0 && !(command.contains("diff") && process.exitValue() == DIFFERENT)) {
                throw new IllegalStateException(String.join(" ", command) + " ended with " + process.exitValue() + ":\n"
                        + Files.readString(log));
            }
            return new Trial(seconds, cpu, peak, anonymous);
        } finally {
            Files.delete(log);
        }
    }

    /// How long a program on a terminal of its own takes until it prints `prompt`. Needs `script` of
    /// util-linux and `timeout`.
    static Trial untilPrompt(Map<String, String> environment, String command, String prompt)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(
                        "timeout", "20", "script", "-qfec", "stty cols 100 rows 30; exec " + command, "/dev/null")
                .redirectErrorStream(true);
        builder.environment().putAll(environment);
        long start = System.nanoTime();
        Process process = builder.start();
        try (InputStream out = process.getInputStream()) {
            StringBuilder seen = new StringBuilder();
            byte[] block = new byte[4096];
            while (seen.indexOf(prompt) < 0) {
                int count = out.read(block);
                if (count < 0) {
                    throw new IllegalStateException("no prompt, but: " + seen);
                }
                seen.append(new String(block, 0, count, StandardCharsets.UTF_8));
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            process.getOutputStream().write("exit\r".getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
            while (out.read(block) >= 0) {
                seen.setLength(0);
            }
            process.waitFor();
            return new Trial(seconds, 0, 0, 0);
        }
    }

    /// What the process has used so far, up to a poll before its end; its children are not counted.
    private static double cpuSeconds(Process process) {
        return process.info().totalCpuDuration().map(d -> d.toNanos() / 1e9).orElse(0.0);
    }

    private static long kib(Process process, String field) {
        try {
            return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                    .filter(line -> line.startsWith(field))
                    .map(line -> line.replaceAll("\\D", ""))
                    .mapToLong(Long::parseLong)
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }

    /// The trial of median time, with the highest peaks of all.
    static Trial median(List<Trial> trials) {
        List<Double> seconds =
                new ArrayList<>(trials.stream().map(Trial::seconds).toList());
        seconds.sort(null);
        List<Double> cpu =
                new ArrayList<>(trials.stream().map(Trial::cpuSeconds).toList());
        cpu.sort(null);
        return new Trial(
                seconds.get(seconds.size() / 2),
                cpu.get(cpu.size() / 2),
                trials.stream().mapToLong(Trial::peakKib).max().orElse(0),
                trials.stream().mapToLong(Trial::anonymousKib).max().orElse(0));
    }
}
