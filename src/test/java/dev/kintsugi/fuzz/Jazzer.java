package dev.kintsugi.fuzz;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Runs Jazzer on a target, in a process of its own, with the target's seeds and words.
///
/// Everything is under `target/fuzz/NAME`: `found` has the inputs that reach code which those before did not, and
/// grows from run to run; `log` is what Jazzer says; an input that fails begins with `crash-`, `timeout-` or `oom-`.
final class Jazzer {
    private static final String MAIN = "com.code_intelligence.jazzer.Jazzer";
    private static final Pattern EXECUTED = Pattern.compile("stat::number_of_executed_units:\\s*(\\d+)");
    private static final Pattern BRANCHES = Pattern.compile("cov: (\\d+)");
    private static final int MAX_INPUT_BYTES = 40_000;
    private static final int SECONDS_PER_INPUT = 20;

    private final Target target;
    private final Path directory;

    /// What a run did. **Units.** `branches` as libFuzzer counts them, in code of ours.
    record Ran(int status, long inputs, long branches, Path log) {}

    Jazzer(Target target) {
        this.target = target;
        directory = Path.of("target", "fuzz", target.name()).toAbsolutePath();
    }

    static boolean isThere() {
        try {
            Class.forName(MAIN, false, Jazzer.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /// Runs for some time. **Units.** Seconds.
    Ran run(long seconds, long seed) throws IOException, InterruptedException {
        Path dictionary = Files.writeString(Files.createDirectories(directory).resolve("words"), dictionary());
        return jazzer(List.of(
                "-max_total_time=" + seconds,
                "-seed=" + Math.floorMod(seed, 1L << 31),
                "-dict=" + dictionary,
                directories("found"),
                seeds()));
    }

    /// Picks the fewest inputs that reach all that `found` and the kept ones reach, into an archive; how many.
    int keep(Path archive) throws IOException, InterruptedException {
        Path fewest = Path.of(directories("fewest"));
        clear(fewest);
        Ran ran = jazzer(List.of("-merge=1", fewest.toString(), directories("found"), seeds()));
        if (ran.status() != 0) {
            throw new IOException("see " + ran.log());
        }
        return Kept.pack(fewest, archive);
    }

    private Ran jazzer(List<String> arguments) throws IOException, InterruptedException {
        Path log = directory.resolve("log");
        Path scratch = Path.of(directories("scratch"));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:+EnableDynamicAgentLoading",
                "-Dkintsugi.fuzz=" + target.name(),
                "-Dkintsugi.fuzz.scratch=" + scratch,
                "-cp",
                System.getProperty("java.class.path"),
                MAIN,
                "--target_class=" + Guided.class.getName(),
                "--instrumentation_includes=dev.kintsugi.**",
                "--custom_hook_excludes=**",
                "--reproducer_path=" + directory,
                "-artifact_prefix=" + directory + "/",
                "-max_len=" + MAX_INPUT_BYTES,
                "-timeout=" + SECONDS_PER_INPUT,
                "-rss_limit_mb=0",
                "-print_final_stats=1"));
        command.addAll(arguments);
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        int status = process.waitFor();
        String said = Files.readString(log, StandardCharsets.ISO_8859_1);
        return new Ran(status, last(EXECUTED, said), last(BRANCHES, said), log);
    }

    private static long last(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        long found = 0;
        while (matcher.find()) {
            found = Long.parseLong(matcher.group(1));
        }
        return found;
    }

    private String directories(String name) throws IOException {
        return Files.createDirectories(directory.resolve(name)).toString();
    }

    private static void clear(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }

    private String seeds() throws IOException {
        Path seeds = Path.of(directories("seeds"));
        clear(seeds);
        List<byte[]> all = new ArrayList<>(target.seeds());
        all.addAll(target.kept());
        for (int i = 0; i < all.size(); i++) {
            Files.write(seeds.resolve(String.format("%05d", i)), all.get(i));
        }
        return seeds.toString();
    }

    private String dictionary() {
        StringBuilder lines = new StringBuilder();
        for (byte[] word : target.words()) {
            lines.append('"');
            for (byte b : word) {
                lines.append(String.format("\\x%02X", b));
            }
            lines.append("\"\n");
        }
        return lines.toString();
    }
}
