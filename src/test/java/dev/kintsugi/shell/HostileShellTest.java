package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import dev.kintsugi.ChildJvm;
import dev.kintsugi.Golden;
import dev.kintsugi.PickleBytes;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.export.Models;
import dev.kintsugi.fault.Status;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What hostile files do to the shell: nothing. The ids are those of docs/reference/safety.md.
class HostileShellTest {
    @TempDir
    Path scratch;

    private final Typed typed = new Typed();
    private final StringWriter out = typed.out;
    private final StringWriter err = typed.err;

    private Status run(String... lines) {
        return typed.run(lines);
    }

    private static String open(Path path) {
        return "open " + Tokenizer.quote(path.toString()) + " --as m";
    }

    private static void assertPlain(String shown) {
        assertTrue(shown.chars().allMatch(c -> c == '\n' || c >= ' ' && c != 0x7f && !(c >= 0x80 && c < 0xa0)), shown);
    }

    @DisplayName("P-01 open shows a call that would run a command, lists the tensors, and runs nothing")
    @Test
    void openShowsACallThatWouldRunACommand() throws IOException {
        Path witness = scratch.resolve("witness");
        PickleBytes pickle = PickleBytes.proto2().op('}').text("evil").call("posix", "system", "touch " + witness);
        byte[] bytes = ZipBytes.torch(
                pickle.op('s').text("layers.0.weight").vector("0", 4).op('s').stop(), "0", new byte[16]);
        Path file = Files.write(scratch.resolve("model.bin"), bytes);
        assertEquals(Status.DONE, run(open(file), "tensors m"));
        assertTrue(err.toString().contains("opaque call posix.system(\"touch "), err.toString());
        assertTrue(out.toString().contains("layers.0.weight"), out.toString());
        assertFalse(Files.exists(witness));
    }

    @DisplayName("S-27, P-31 names and metadata cannot colour, move or hide what is shown")
    @ParameterizedTest
    @ValueSource(
            strings = {"\u001b[31mred", "a\u0007\b\rb", "a\u202eb", "a\u0085b\u009b2J", "a\u200bb", "a\u0000b", "a\nb"})
    void namesCannotChangeTheScreen(String name) throws IOException {
        StringBuilder json = new StringBuilder();
        name.chars().forEach(c -> json.append(c < 0x7f && c >= ' ' ? "" + (char) c : String.format("\\u%04x", c)));
        Path file = scratch.resolve("model.safetensors");
        String header = "{\"__metadata__\":{\"" + json + "\":\"" + json + "\"},"
                + SafetensorsBytes.entry(json.toString(), "F32", "[2]", 0, 8) + "}";
        Files.write(file, SafetensorsBytes.of(header, 8));
        run(open(file), "tensors m", "info m", "shards m", "placements m", "explain m " + Tokenizer.quote(name));
        assertPlain(out.toString());
        assertPlain(err.toString());
        assertTrue(out.toString().contains("\\u"), out.toString());
        PickleBytes pickle =
                PickleBytes.proto2().op('}').text(name).vector("0", 2).op('s');
        pickle.text("x").call("evil" + name.replace("\n", ""), "call", name).op('s');
        Path torch = Files.write(scratch.resolve("model.bin"), ZipBytes.torch(pickle.stop(), "0", new byte[8]));
        run(open(torch), "tensors m", "info m");
        assertPlain(out.toString());
        assertPlain(err.toString());
    }

    @DisplayName("S-27 escaping leaves sound text as it is")
    @Test
    void escapingLeavesSoundTextAsItIs() {
        for (String text : List.of("model.layers.0", "caf\u00e9 \u6a21\u578b \ud83d\ude00", "")) {
            assertEquals(text, Escape.text(text));
        }
        assertEquals("\\u001b[31m\\ud800", Escape.text("\u001b[31m\ud800"));
    }

    @DisplayName("S-28 a million tensors in one header open in seconds in one gigabyte")
    @Test
    void aMillionTensorsOpen() throws IOException {
        Path file = Files.createDirectories(scratch.resolve("big")).resolve("model.safetensors");
        StringBuilder json = new StringBuilder("{");
        for (int i = 0; i < 1_000_000; i++) {
            json.append(i == 0 ? "" : ",")
                    .append("\"layers.")
                    .append(i)
                    .append(".w\":{\"dtype\":\"U8\",\"shape\":[1],");
            json.append("\"data_offsets\":[")
                    .append(i)
                    .append(',')
                    .append(i + 1)
                    .append("]}");
        }
        byte[] header = json.append('}').toString().getBytes(StandardCharsets.US_ASCII);
        try (OutputStream stream = new BufferedOutputStream(Files.newOutputStream(file))) {
            stream.write(SafetensorsBytes.of(header, 1_000_000));
        }
        long start = System.nanoTime();
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .optimised()
                .with("-Xmx1g")
                .run(Main.class.getName(), "-c", open(file) + "; assert tensors == 1000000");
        long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
        assertEquals(0, ended.status(), ended.err());
        assertTrue(seconds < 60, seconds + " s");
    }

    @DisplayName("P-29 a pickle of ten million opcodes opens in a small heap or is refused")
    @Test
    void tenMillionOpcodesAreBounded() throws IOException {
        byte[] pickle = new byte[10_000_003];
        for (int i = 0; i < pickle.length; i++) {
            pickle[i] = (byte) (i % 2 == 0 ? '0' : 'N');
        }
        pickle[0] = '}';
        pickle[1] = 'N';
        pickle[pickle.length - 1] = '.';
        Path file = Files.write(scratch.resolve("model.bin"), ZipBytes.torch(pickle));
        ChildJvm.Ended ended = new ChildJvm(scratch).with("-Xmx256m").run(Main.class.getName(), "-c", open(file));
        assertTrue(ended.status() == 0 || ended.status() == 3, ended.err());
    }

    @DisplayName("R-07 a command that needs more heap than there is ends, the shell lives")
    @Test
    void aFullHeapEndsTheCommandOnly() throws IOException {
        byte[] pickle = new byte[40_000_002];
        Arrays.fill(pickle, (byte) ']');
        pickle[0] = '(';
        pickle[pickle.length - 2] = 'l';
        pickle[pickle.length - 1] = '.';
        Path file = Files.write(scratch.resolve("model.bin"), ZipBytes.torch(pickle));
        ChildJvm.Ended ended = new ChildJvm(scratch)
                .with("-Xmx160m", "-XX:+UseSerialGC")
                .run(ChildShell.class.getName(), file.toString(), "nothing", "0", open(file), "version");
        assertEquals(0, ended.status(), ended.err());
        assertTrue(ended.out().contains("kintsugi"), ended.out());
        assertTrue(ended.err().contains("the heap is full"), ended.err());
        ChildJvm.Ended last = new ChildJvm(scratch)
                .with("-Xmx160m", "-XX:+UseSerialGC")
                .run(ChildShell.class.getName(), file.toString(), "nothing", "0", "version", open(file));
        assertEquals(Status.IO.exitCode(), last.status(), last.err());
    }

    @DisplayName("P-29, R-08 Ctrl-C while a pickle is read ends the command, and not a second later")
    @Test
    void ctrlCWhileAPickleIsReadEndsTheCommand() throws IOException, InterruptedException {
        byte[] pickle = new byte[190_000_003];
        for (int i = 0; i < pickle.length; i++) {
            pickle[i] = (byte) (i % 2 == 0 ? '0' : 'N');
        }
        pickle[0] = '}';
        pickle[1] = 'N';
        pickle[pickle.length - 1] = '.';
        Path file = Files.write(scratch.resolve("model.bin"), ZipBytes.torch(pickle));
        Console console = new Console(new PrintWriter(out), new PrintWriter(err), false, false, 100);
        try (Shell shell = Shell.on(console)) {
            ControlC ctrlC = ControlC.when(shell, job -> true);
            assertEquals(Status.INTERRUPTED, shell.run(open(file)), err.toString());
            assertTrue(ctrlC.secondsAgo() < 30);
            assertEquals(Status.DONE, shell.run("version"));
        }
    }

    @DisplayName("R-08 a signal during an export clears up and ends with status 130")
    @Test
    void aSignalDuringAnExportClearsUp() throws IOException, InterruptedException {
        Path source = Files.createDirectories(scratch.resolve("source"));
        Path file = source.resolve("model.safetensors");
        long bytes = 1L << 28;
        Files.write(
                file,
                SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "U8", "[" + bytes + "]", 0, bytes) + "}", 0));
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            random.setLength(random.length() + bytes);
        }
        Path target = scratch.resolve("out");
        ChildJvm child = new ChildJvm(scratch);
        Process process = child.start(
                Main.class.getName(), "-c", open(source) + "; export m " + target + " --keys as-is --threads 1");
        while (process.isAlive() && !Files.exists(scratch.resolve(".out.kintsugi-part/model.safetensors"))) {
            process.waitFor(1, TimeUnit.MILLISECONDS);
        }
        process.destroy();
        ChildJvm.Ended ended = child.end(process);
        assertEquals(130, ended.status(), ended.err());
        assertFalse(Files.exists(target));
        assertFalse(Files.exists(scratch.resolve(".out.kintsugi-part")));
    }

    @DisplayName("R-09 a reader that goes away is no bug")
    @Test
    void aReaderThatGoesAwayIsNoBug() throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("sh", "-c", "{ \"$@\"; echo \"status $?\" >&2; } | head -n 1", "sh"));
        Path source = Golden.resource("fsdp/fsdp2_4/ckpt").toAbsolutePath();
        command.addAll(
                new ChildJvm(scratch).command(Main.class.getName(), "-c", open(source) + "; tensors m; tensors m"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor());
        assertTrue(said.contains("status 0\n") || said.contains("status 141\n"), said);
        assertFalse(said.contains("Exception") || said.contains("K9001"), said);
    }

    @DisplayName("R-11 the machine's language, its digits and its encoding change nothing")
    @ParameterizedTest
    @ValueSource(strings = {"tr-TR", "ar-EG", "hi-IN-u-nu-deva", "de-CH"})
    void languageAndEncodingChangeNothing(String tag) throws IOException {
        Locale locale = Locale.forLanguageTag(tag);
        assertEquals(
                inLanguage("en"),
                inLanguage(
                        tag,
                        "-Duser.language=" + locale.getLanguage(),
                        "-Duser.country=" + locale.getCountry(),
                        "-Duser.extensions=" + (locale.hasExtensions() ? "u-nu-deva" : ""),
                        "-Dfile.encoding=ISO-8859-9",
                        "-Duser.timezone=Asia/Kolkata"));
    }

    /// What commands print, and a sharded export writes, in a child with `options`.
    private Map<String, ?> inLanguage(String name, String... options) throws IOException {
        Path source = Golden.resource("fsdp/fsdp2_4/ckpt").toAbsolutePath();
        Path bad = scratch.resolve("bad.safetensors");
        Files.write(bad, SafetensorsBytes.of("{" + SafetensorsBytes.entry("I", "F32", "[30000]", 0, 8) + "}", 8));
        Path behind = scratch.resolve("behind.safetensors");
        Files.write(behind, SafetensorsBytes.of("{}", 12345));
        Path nan = scratch.resolve("nan.safetensors");
        byte[] bytes = SafetensorsBytes.of("{" + SafetensorsBytes.entry("I", "F32", "[2000]", 0, 8000) + "}", 8000);
        Arrays.fill(bytes, bytes.length - 8000, bytes.length, (byte) 0xff);
        Files.write(nan, bytes);
        Path target = scratch.resolve("out-" + name);
        String shards = "export m " + target + " --max-shard-size 20kB --dtype F32";
        List<String> lines = new ArrayList<>(List.of(bad.toString(), "nothing", "0", "open " + bad, "open " + behind));
        lines.addAll(List.of("open " + nan + " --as n", "validate n --data --keys as-is", "stats n", open(source)));
        lines.addAll(List.of("info m", "tensors m", "shards m", "mesh m", "explain m model.norm.weight", "stats m"));
        lines.addAll(List.of("explain m layers.0.mlp.up_proj.weight", "show m model.norm.weight", "diff m n"));
        lines.addAll(List.of("histogram m model.norm.weight", "heat m layers.0.mlp.up_proj.weight", "limits"));
        lines.addAll(List.of("verify " + source, "stats m --format json", "stats m --format csv", "fuse m m --as f"));
        lines.addAll(List.of("info f", "explain f model.norm.weight", "help safety", "validate m --data", shards));
        ChildJvm.Ended ended =
                new ChildJvm(scratch).with(options).run(ChildShell.class.getName(), lines.toArray(String[]::new));
        assertEquals(0, ended.status(), ended.err());
        String said = ended.out() + ended.err();
        assertTrue(said.contains("120,000 bytes"), said);
        assertTrue(said.contains("12,345 bytes behind"), said);
        assertTrue(said.contains("2,000 NaN"), said);
        return Map.of("said", timeless(said).replace(target.toString(), "out"), "wrote", Models.contents(target));
    }

    /// `text` without how long things took, and when files were saved, which is told in the machine's own time.
    private static String timeless(String text) {
        return text.replaceAll("[0-9.]+ m?s( \\([^)]*/s\\))?", "TIME")
                .replaceAll("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", "DATE");
    }

    @DisplayName("R-15 what is shown of a failing upload flag is what was typed, and nothing is kept of it")
    @Test
    void nothingSecretIsTaken() {
        assertEquals(Status.USAGE, run("merge --local_dir x --target_dir y --hf_token hf_secret"));
        assertFalse(err.toString().contains("hf_secret"), err.toString());
    }

    @DisplayName("I-03 a pipe or a device under any name is refused without waiting")
    @Test
    void aPipeUnderAnyNameIsRefused() throws IOException, InterruptedException {
        for (String name : List.of("model_world_size_1_rank_0.pt", "model.safetensors", "latest", "fsdp_config.json")) {
            Path directory = Files.createDirectories(scratch.resolve("pipe-" + name));
            Path pipe = directory.resolve(name);
            assertEquals(
                    0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
            for (String line : List.of(open(directory), open(pipe), "doctor " + directory, "verify " + pipe)) {
                Status status = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> run(line), line);
                assertTrue(status == Status.CORRUPT || status == Status.IO, line + ": " + status + err);
            }
        }
        Status status = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> run("run /dev/zero"));
        assertEquals(Status.USAGE, status, err.toString());
    }

    @DisplayName("I-03 a pipe under the name of anything that is read beside weights is not waited for")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "generation_config.json",
                "model.safetensors.index.json",
                "adapter_config.json",
                "adapter_model.safetensors",
                ".metadata",
                "latest_checkpointed_iteration.txt",
                "common.pt",
                "metadata.json",
                "lora_train_meta.json"
            })
    void aPipeBesideWeightsIsNotWaitedFor(String name) throws IOException, InterruptedException {
        Path directory = Models.write(scratch.resolve("model"), 2, 30);
        Path pipe = directory.resolve(name);
        Files.deleteIfExists(pipe);
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        List<String> lines = List.of(
                "info m",
                "validate m --keys as-is",
                "fuse linear m m --as f",
                "export m " + scratch.resolve("out") + " --keys as-is",
                "open " + pipe,
                "doctor " + directory,
                "verify " + directory,
                "fuse --from " + pipe);
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> run(open(directory)));
        for (String line : lines) {
            Status status = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> run(line), line);
            assertNotEquals(Status.BUG, status, line + err);
        }
        assertFalse(err.toString().contains("K9001"), err.toString());
    }

    @DisplayName("I-16 a configuration that is no text, or asks for a billion layers or experts, is refused")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "\u00ff",
                "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\",\"num_hidden_layers\":1000000000,\"hidden_size\":2,\"num_attention_heads\":1,"
                    + "\"num_key_value_heads\":1,\"intermediate_size\":2,\"vocab_size\":2}"
            })
    void aConfigurationThatIsNoTextIsRefused(String config) throws IOException {
        Path file = scratch.resolve("model.safetensors");
        Files.write(file, SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[2]", 0, 8) + "}", 8));
        Files.write(scratch.resolve("config.json"), config.getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(Status.CORRUPT, run(open(scratch), "validate m"), err.toString());
        assertTrue(err.toString().contains("K2305"), err.toString());
    }

    @DisplayName("I-16 code that a configuration names is never run, and is copied as it stands")
    @Test
    void codeOfAConfigurationIsNeverRun() throws IOException {
        Path file = scratch.resolve("source/model.safetensors");
        Files.createDirectories(file.getParent());
        Files.write(file, SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[2]", 0, 8) + "}", 8));
        String config = "{\"auto_map\": {\"AutoModel\": \"evil.Model\"}, \"trust_remote_code\": true}";
        Files.writeString(scratch.resolve("source/config.json"), config);
        Path target = scratch.resolve("out");
        assertEquals(Status.DONE, run(open(file.getParent()), "export m " + target + " --keys as-is"), err.toString());
        assertEquals(config, Files.readString(target.resolve("config.json")));
    }

    @DisplayName("I-16 code that a configuration names is told of at opening, made safe to show")
    @Test
    void codeOfAConfigurationIsNamedAtOpening() throws IOException {
        Path directory = Files.createDirectories(scratch.resolve("source"));
        byte[] model = SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[2]", 0, 8) + "}", 8);
        Files.write(directory.resolve("model.safetensors"), model);
        Path config = directory.resolve("config.json");
        for (String none : List.of("{}", "{\"auto_map\":null}", "{\"auto_map\":{},\"trust_remote_code\":false}")) {
            Files.writeString(config, none);
            assertEquals(Status.DONE, run(open(directory)), err.toString());
            assertFalse(err.toString().contains("names code"), err.toString());
        }
        Files.writeString(config, "{\"auto_map\":{\"AutoModel\":\"a\u009b2J\u202eb.M\"},\"trust_remote_code\":true}");
        Files.writeString(
                directory.resolve("tokenizer_config.json"),
                "{\"auto_map\":{\"AutoTokenizer\":[\"\\u001b[31m.T\",null]}, \"x\":\"" + "y".repeat(500) + "\"}");
        assertEquals(Status.DONE, run(open(directory)), err.toString());
        assertTrue(err.toString().contains("note: config.json names code of its own (auto_map: {"), err.toString());
        assertTrue(err.toString().contains("; trust_remote_code: true); it is copied, never run"), err.toString());
        assertTrue(err.toString().contains("note: tokenizer_config.json names code of its own"), err.toString());
        assertPlain(err.toString());
    }

    @DisplayName("I-16 a configuration that cannot be read is not judged at opening")
    @ParameterizedTest
    @ValueSource(strings = {"{\"auto_map\":", "[]", "", "\"auto_map\""})
    void aBrokenTokenizerConfigurationOpens(String text) throws IOException {
        Path directory = Files.createDirectories(scratch.resolve("source"));
        byte[] model = SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[2]", 0, 8) + "}", 8);
        Files.write(directory.resolve("model.safetensors"), model);
        Files.writeString(directory.resolve("config.json"), "{}");
        Files.writeString(directory.resolve("tokenizer_config.json"), text);
        assertEquals(Status.DONE, run(open(directory)), err.toString());
        assertFalse(err.toString().contains("names code"), err.toString());
    }

    @DisplayName("S-19 shapes of more experts or edges than anybody has are refused, and empty ones shown at once")
    @Test
    void shapesWithoutEndAreRefused() throws IOException {
        String experts = "model.layers.0.mlp.experts.gate_up_proj";
        Path file = scratch.resolve("model.safetensors");
        String json = SafetensorsBytes.entry(experts, "F32", "[1099511627776,4,0]", 0, 0) + ","
                + SafetensorsBytes.entry("w", "F32", "[1152921504606846976,0]", 0, 0);
        Files.write(file, SafetensorsBytes.of("{" + json + "}", 0));
        assertEquals(Status.DONE, assertTimeoutPreemptively(Duration.ofSeconds(20), () -> run(open(file), "show m w")));
        Files.writeString(
                scratch.resolve("config.json"),
                "{\"model_type\":\"qwen3_moe\",\"num_hidden_layers\":1,\"num_experts\":2}");
        assertEquals(Status.CORRUPT, run(open(scratch)), out.toString());
        PickleBytes pickle = PickleBytes.proto2().op('}').text("w");
        long[] dims = new long[40];
        Arrays.fill(dims, 2);
        pickle.tensor("0", 4, 0, dims, new long[40]).op('s');
        Path torch = Files.write(scratch.resolve("x.bin"), ZipBytes.torch(pickle.stop(), "0", new byte[16]));
        assertEquals(
                Status.USAGE, assertTimeoutPreemptively(Duration.ofSeconds(20), () -> run(open(torch), "show m w")));
        assertTrue(err.toString().contains("--slice"), err.toString());
    }

    @DisplayName("P-31 an error shows the ends of a name that is as long as its file")
    @Test
    void anErrorShowsTheEndsOfALongName() {
        assertEquals(Status.USAGE, run("open " + "x".repeat(1_000_000)));
        assertTrue(err.toString().length() < 10_000, "" + err.toString().length());
        assertTrue(err.toString().contains("characters)"), err.toString());
    }

    @DisplayName("P-31 a trace is as safe to show as its message")
    @Test
    void aTraceIsSafeToShow() {
        run("set debug on", "open 'no\u001b[31m'");
        assertTrue(err.toString().contains("at dev.kintsugi"), err.toString());
        assertPlain(err.toString());
    }

    @DisplayName("S-31 NaN and infinities are counted by stats and found by validate")
    @Test
    void nanAndInfinitiesAreCounted() throws IOException {
        Path file = scratch.resolve("model.safetensors");
        byte[] bytes = SafetensorsBytes.of("{" + SafetensorsBytes.entry("w", "F32", "[4]", 0, 16) + "}", 16);
        ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        data.putFloat(bytes.length - 16, Float.NaN);
        data.putFloat(bytes.length - 12, Float.NEGATIVE_INFINITY);
        Files.write(file, bytes);
        assertEquals(Status.DONE, run(open(file), "stats m --format json"), err.toString());
        assertTrue(out.toString().contains("\"nan\" : 1"), out.toString());
        assertEquals(Status.DIFFERENT, run(open(file), "validate m --data --keys as-is"));
        assertEquals(Status.DIFFERENT, run(open(file), "assert finite m"));
    }

    @DisplayName("R-10 time left is computed from a clock that cannot be set")
    @Test
    void timeLeftComesFromAClockThatCannotBeSet() throws IOException {
        JavaClasses shell = new ClassFileImporter().importClasses(Progress.class);
        ArchRuleDefinition.noClasses()
                .should()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .dependOnClassesThat()
                .resideInAPackage("java.time..")
                .check(shell);
    }

    @DisplayName("a merge configuration of nested brackets, and a recipe of continued lines, end soon")
    @Test
    void nestedAndContinuedTextEndsSoon() throws IOException {
        Path yaml = Files.writeString(scratch.resolve("deep.yml"), "a: " + "[".repeat(100_000));
        assertEquals(Status.USAGE, run("fuse --from " + yaml + " --as x"), err.toString());
        Path recipe = Files.writeString(scratch.resolve("long.rsh"), "version \\\n".repeat(300_000));
        assertEquals(Status.USAGE, assertTimeoutPreemptively(Duration.ofSeconds(30), () -> run("check " + recipe)));
    }
}
