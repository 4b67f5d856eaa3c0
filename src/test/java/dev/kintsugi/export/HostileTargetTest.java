package dev.kintsugi.export;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ChildJvm;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Targets and disks that an export must survive. The ids are those of docs/reference/safety.md.
class HostileTargetTest {
    private static final ExportOptions USUAL = Models.options(1_000, false, false);

    @TempDir
    Path scratch;

    private Path source;
    private SortedMap<String, ByteBuffer> before;

    @BeforeEach
    void makeSource() throws IOException {
        source = Models.write(scratch.resolve("source"), 4, 300);
        before = Models.contents(source);
    }

    private Fault refused(Code code, Path target, ExportOptions options) {
        Fault fault = assertThrows(Fault.class, () -> Models.export(source, target, options, new Job(2)));
        assertEquals(code, fault.code(), fault.what());
        return fault;
    }

    private void assertSourceUntouched() throws IOException {
        assertEquals(before, Models.contents(source));
    }

    private void assertExports(Path target) throws IOException {
        Models.export(source, target, USUAL, new Job(2));
        assertEquals(7, Models.contents(target).size());
        assertSourceUntouched();
    }

    @DisplayName("I-02 a sidecar that is a link out of its directory is refused with its target")
    @Test
    void aSidecarThatLeavesItsDirectoryIsRefused() throws IOException {
        Path secret = Files.writeString(scratch.resolve("id_rsa.txt"), "secret");
        Files.createSymbolicLink(source.resolve("merges.txt"), secret);
        Fault fault = refused(Code.K4015, scratch.resolve("out"), USUAL);
        assertTrue(fault.what().contains(secret.toRealPath().toString()), fault.what());
        assertFalse(Files.exists(scratch.resolve("out")));
    }

    @DisplayName("I-02 a config.json that is a link out of its directory is refused where it would be changed")
    @Test
    void aConfigurationThatLeavesItsDirectoryIsRefused() throws IOException {
        Path secret = Files.writeString(scratch.resolve("other.json"), "{\"dtype\": \"float32\", \"key\": \"secret\"}");
        Files.delete(source.resolve("config.json"));
        Files.createSymbolicLink(source.resolve("config.json"), secret);
        try (Checkpoint checkpoint = Checkpoints.open(List.of(source), OpenOptions.defaults(), new Job(1))) {
            HubModel model = HubModel.of(
                    checkpoint.tensors(),
                    checkpoint.directories(),
                    checkpoint.sidecars(),
                    HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS),
                    Map.of("vocab_size", "7"));
            Fault fault = assertThrows(
                    Fault.class, () -> ExportPlan.of(model, checkpoint.sidecars(), scratch.resolve("out"), USUAL));
            assertEquals(Code.K4015, fault.code());
            assertTrue(fault.what().contains(secret.toRealPath().toString()), fault.what());
        }
    }

    @DisplayName("I-02 links into the blobs of the same cache, and within the directory, are followed")
    @Test
    void linksIntoTheSameCacheAreFollowed() throws IOException {
        Path snapshot = Models.write(scratch.resolve("hub/snapshots/abc"), 4, 300);
        Path blobs = Files.createDirectories(scratch.resolve("hub/blobs"));
        for (String name : List.of("tokenizer.json", "config.json", "model.safetensors")) {
            Path blob = Files.move(snapshot.resolve(name), blobs.resolve("blob-" + name));
            Files.createSymbolicLink(snapshot.resolve(name), snapshot.relativize(blob));
        }
        Files.createSymbolicLink(snapshot.resolve("chat.jinja"), Path.of("tokenizer.json"));
        Models.export(snapshot, scratch.resolve("out"), USUAL, new Job(2));
        assertEquals(8, Models.contents(scratch.resolve("out")).size());
    }

    @DisplayName("I-06 names that differ in capitals only, and reserved ones, are refused before anything is written")
    @ParameterizedTest
    @ValueSource(strings = {"Tokenizer.json", "CON.json", "aux.txt", "lpt1.md"})
    void namesThatCollideElsewhereAreRefused(String name) throws IOException {
        Files.writeString(source.resolve(name), "{}");
        refused(Code.K4015, scratch.resolve("out"), USUAL);
        assertEquals(List.of("source"), Models.names(scratch));
    }

    @DisplayName("I-07 a target in, over or around the source, or that is a file, is refused")
    @Test
    void aTargetThatTouchesTheSourceIsRefused() throws IOException {
        Path alias = Files.createSymbolicLink(scratch.resolve("alias"), source);
        for (Path target : List.of(
                source, source.resolve("out"), source.resolve("x/../y/out"), scratch, alias, alias.resolve("out"))) {
            refused(Code.K4008, target, Models.options(1_000, true, false));
            refused(Code.K4008, target, USUAL);
        }
        Path file = Files.writeString(scratch.resolve("file"), "mine");
        refused(Code.K4003, file, USUAL);
        refused(Code.K5002, file, Models.options(1_000, true, false));
        assertEquals("mine", Files.readString(file));
        Path full = Files.createDirectories(scratch.resolve("full"));
        Files.writeString(full.resolve("mine"), "mine");
        refused(Code.K4003, full, USUAL);
        assertEquals(List.of("alias", "file", "full", "source"), Models.names(scratch));
        assertSourceUntouched();
    }

    @DisplayName("I-08 links planted where an export writes are not followed")
    @Test
    void plantedLinksAreNotFollowed() throws IOException {
        Path victim = Files.createDirectories(scratch.resolve("victim"));
        Path precious = Files.writeString(victim.resolve("precious"), "mine");
        Path target = scratch.resolve("out");
        Files.createSymbolicLink(target.resolveSibling(".out.kintsugi-part"), victim);
        Models.export(source, target, Models.options(1_000, false, true), new Job(2));
        assertEquals(List.of("precious"), Models.names(victim));
        Path second = scratch.resolve("two");
        Path part = Files.createDirectories(second.resolveSibling(".two.kintsugi-part"));
        Files.createSymbolicLink(part.resolve("config.json"), precious);
        Models.export(source, second, Models.options(1_000, false, true), new Job(2));
        assertEquals("mine", Files.readString(precious));
        Path lock = Files.createSymbolicLink(scratch.resolve(".three.kintsugi-lock"), precious);
        refused(Code.K5002, scratch.resolve("three"), USUAL);
        assertEquals("mine", Files.readString(precious));
        Files.delete(lock);
        Path dangling = Files.createSymbolicLink(scratch.resolve("four"), scratch.resolve("nowhere"));
        refused(Code.K4003, dangling, USUAL);
        assertFalse(Files.exists(scratch.resolve("nowhere")));
    }

    @DisplayName("I-08 what came into being under the target's name meanwhile is not overwritten")
    @Test
    void whatCameIntoBeingMeanwhileIsNotOverwritten() throws IOException {
        for (boolean directory : new boolean[] {false, true}) {
            Path target = scratch.resolve("out" + directory);
            try (Staging staging = Staging.open(target, USUAL)) {
                Files.writeString(staging.directory().resolve("a"), "new");
                Path mine = directory ? Files.createDirectories(target).resolve("mine") : target;
                Files.writeString(mine, "mine");
                Fault fault = assertThrows(Fault.class, () -> staging.publish(false));
                assertEquals(Code.K4003, fault.code());
                assertEquals("mine", Files.readString(mine));
            }
        }
        assertEquals(List.of("outfalse", "outtrue", "source"), Models.names(scratch));
    }

    @DisplayName("I-09 a place that cannot be written to is refused with status 5, and nothing is left")
    @Test
    void aPlaceThatCannotBeWrittenToIsRefused() throws IOException {
        Path file = Files.writeString(scratch.resolve("file"), "mine");
        assertEquals(5, refused(Code.K5002, file.resolve("out"), USUAL).status().exitCode());
        Path elsewhere = Path.of("/proc/kintsugi/out");
        Fault fault = assertThrows(Fault.class, () -> Models.export(source, elsewhere, USUAL, new Job(1)));
        assertEquals(5, fault.status().exitCode(), fault.what());
        assertEquals(List.of("file", "source"), Models.names(scratch));
        assertSourceUntouched();
    }

    @DisplayName("I-10 a file that may not grow ends the export with status 5 and leaves nothing")
    @Test
    void aFileThatMayNotGrowLeavesNothing() throws IOException, InterruptedException {
        Path large = Models.write(scratch.resolve("large"), 4, 1_000_000);
        Path target = scratch.resolve("out");
        List<String> command = new ArrayList<>(List.of("sh", "-c", "ulimit -f 4000; exec \"$@\"", "sh"));
        command.addAll(new ChildJvm(scratch)
                .with("-XX:-UsePerfData")
                .command(ChildExport.class.getName(), large.toString(), target.toString(), "1000000000", "2"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(5, process.waitFor(), said);
        assertTrue(said.contains("K5002"), said);
        assertEquals(List.of("large", "source"), Models.names(scratch));
    }

    @DisplayName("I-10 a full disk has its own code, and an output larger than the disk is refused before it begins")
    @Test
    void aFullDiskHasItsOwnCode() throws IOException {
        assertEquals(
                Code.K5001,
                Staging.cannotWrite(source, new IOException("No space left on device"))
                        .code());
        assertEquals(
                Code.K5001,
                Staging.cannotWrite(source, new IOException("Disk quota exceeded"))
                        .code());
        assertEquals(
                Code.K5002,
                Staging.cannotWrite(source, new IOException("Permission denied"))
                        .code());
        long free = Files.getFileStore(scratch).getUsableSpace();
        Path huge = Files.createDirectories(scratch.resolve("huge"));
        long elements = free / 2 + (1 << 20);
        String json = SafetensorsBytes.entry("a", "BF16", "[" + elements + "]", 0, 2 * elements);
        Path file = huge.resolve("model.safetensors");
        Files.write(file, SafetensorsBytes.of("{" + json + "}", 0));
        boolean sparse = grow(file, 2 * elements);
        Fault fault = assertThrows(Fault.class, () -> Models.export(huge, scratch.resolve("out"), USUAL, new Job(1)));
        assertEquals(sparse ? Code.K5001 : Code.K2302, fault.code(), fault.what());
        assertFalse(Files.exists(scratch.resolve("out")));
    }

    /// Whether the file system lets a file be larger than itself.
    private static boolean grow(Path file, long more) {
        try (RandomAccessFile random = new RandomAccessFile(file.toFile(), "rw")) {
            random.setLength(random.length() + more);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @DisplayName("I-12 the output is made durable before it takes its name, and a swap cut off is undone")
    @Test
    void aSwapCutOffBetweenItsMovesIsUndone() throws IOException {
        Path target = scratch.resolve("out");
        assertExports(target);
        SortedMap<String, ByteBuffer> first = Models.contents(target);
        Files.move(target, scratch.resolve(".out.kintsugi-old"));
        refused(Code.K4003, target, USUAL);
        assertEquals(first, Models.contents(target));
        Models.export(source, target, Models.options(1_000, true, false), new Job(2));
        assertEquals(first, Models.contents(target));
        assertEquals(List.of("out", "source"), Models.names(scratch));
    }

    @DisplayName("I-12 files are made durable, then their directories, then the places that get names")
    @Test
    void whatIsWrittenIsMadeDurableInOrder() throws IOException {
        Path target = scratch.resolve("new/deeper/out");
        List<Path> forced = new ArrayList<>();
        try (Recording recording = new Recording()) {
            recording.enable("jdk.FileForce").withoutThreshold();
            recording.start();
            Models.export(source, target, USUAL, new Job(2));
            recording.stop();
            Path file = scratch.resolve("forces.jfr");
            recording.dump(file);
            RecordingFile.readAllEvents(file).stream()
                    .sorted(Comparator.comparing(RecordedEvent::getEndTime))
                    .map(e -> Path.of(e.getString("path")))
                    .filter(p -> p.startsWith(scratch))
                    .forEach(forced::add);
        }
        Path part = target.resolveSibling(".out.kintsugi-part");
        int published = forced.indexOf(part);
        assertTrue(published > 0, forced.toString());
        for (String name : Models.contents(target).keySet()) {
            int file = forced.lastIndexOf(part.resolve(name));
            assertTrue(file >= 0 && file < published, name + " in " + forced);
        }
        assertEquals(
                List.of(part, target.getParent(), scratch.resolve("new"), scratch),
                forced.subList(published, forced.size()));
    }

    @DisplayName("I-13 of two exports to one target the second is refused and says who holds it")
    @Test
    void theSecondOfTwoExportsIsRefused() throws IOException {
        Path target = scratch.resolve("out");
        try (Staging first = Staging.open(target, USUAL)) {
            Files.writeString(first.directory().resolve("a"), "x");
            Fault fault = refused(Code.K4009, target, USUAL);
            assertTrue(fault.why().contains("process " + ProcessHandle.current().pid()), fault.why());
            assertTrue(
                    !Files.exists(Path.of("/proc/sys/kernel/hostname"))
                            || fault.why().matches("process [0-9]+ on \\S+ holds .*"),
                    fault.why());
            ChildJvm child = new ChildJvm(scratch);
            ChildJvm.Ended ended =
                    child.run(ChildExport.class.getName(), source.toString(), target.toString(), "1000", "1");
            assertEquals(4, ended.status(), ended.err());
            assertTrue(Files.exists(first.directory().resolve("a")));
        }
        Files.writeString(scratch.resolve(".out.kintsugi-lock"), "process 1, left by a killed export\n");
        assertExports(target);
    }

    @DisplayName("I-15 paths with blanks, newlines, other scripts and long names work")
    @ParameterizedTest
    @ValueSource(strings = {"a b", "a\nb", "caf\u00e9", "cafe\u0301", "\u6a21\u578b", "'\"$`;&|", "-rf", "[x]{y}*?"})
    void unusualPathsWork(String name) throws IOException {
        Path unusual = Models.write(scratch.resolve(name).resolve(name), 4, 300);
        Path target = scratch.resolve("to").resolve(name + "-" + "x".repeat(150));
        Models.export(unusual, target, USUAL, new Job(2));
        assertEquals(7, Models.contents(target).size());
    }

    @DisplayName("I-15 a name too long for the file system is refused and leaves nothing")
    @Test
    void aNameTooLongIsRefused() throws IOException {
        refused(Code.K5002, scratch.resolve("new").resolve("x".repeat(300)), USUAL);
        refused(Code.K5002, scratch.resolve("x".repeat(250)), USUAL);
        assertEquals(List.of("source"), Models.names(scratch));
    }

    @DisplayName("R-08 an export cancelled leaves nothing")
    @Test
    void anExportCancelledLeavesNothing() throws IOException {
        Job job = new Job(2);
        job.cancel();
        Fault fault = assertThrows(Fault.class, () -> Models.export(source, scratch.resolve("new/out"), USUAL, job));
        assertEquals(Code.K9002, fault.code());
        assertEquals(List.of("source"), Models.names(scratch));
    }

    @DisplayName("R-12 any number of threads writes the same bytes")
    @Test
    void anyNumberOfThreadsWritesTheSameBytes() throws IOException {
        Models.export(source, scratch.resolve("one"), USUAL, new Job(1));
        for (int threads : new int[] {2, 7, 32}) {
            Path target = scratch.resolve("out" + threads);
            Models.export(source, target, USUAL, new Job(threads));
            assertEquals(Models.contents(scratch.resolve("one")), Models.contents(target));
        }
    }

    @DisplayName("R-03 a source changed after it was opened fails the export, in whatever way it changed")
    @ParameterizedTest
    @ValueSource(
            strings = {"overwrite", "grow", "truncate", "replace", "remove", "sidecar", "sidecar of the same size"})
    void aSourceThatChangesFailsTheExport(String how) throws IOException {
        Path file = source.resolve("model.safetensors");
        try (Checkpoint checkpoint = Checkpoints.open(List.of(source), OpenOptions.defaults(), new Job(1))) {
            ExportPlan plan = Models.plan(checkpoint, scratch.resolve("out"), USUAL);
            byte[] bytes = Files.readAllBytes(file);
            switch (how) {
                case "overwrite" -> {
                    bytes[bytes.length - 1] ^= 1;
                    Files.write(file, bytes);
                    Files.setLastModifiedTime(file, FileTime.fromMillis(1_000_000));
                }
                case "grow" -> Files.write(file, new byte[1], StandardOpenOption.APPEND);
                case "truncate" -> Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
                case "replace" -> {
                    Path other = Files.write(source.resolve("other"), bytes);
                    Files.setLastModifiedTime(other, Files.getLastModifiedTime(file));
                    Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
                }
                case "remove" -> Files.delete(file);
                case "sidecar" -> Files.writeString(source.resolve("tokenizer.json"), "{\"a\": 1, \"b\": 2}");
                default -> {
                    Path sidecar = source.resolve("tokenizer.json");
                    Files.writeString(sidecar, " ".repeat((int) Files.size(sidecar)));
                    Files.setLastModifiedTime(sidecar, FileTime.fromMillis(1_000_000));
                }
            }
            Fault fault = assertThrows(Fault.class, () -> Exporter.write(plan, Models.sources(checkpoint), new Job(2)));
            assertEquals(3, fault.status().exitCode(), fault.what());
            assertFalse(Files.exists(scratch.resolve("out")));
        }
    }
}
