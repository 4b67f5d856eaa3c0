package dev.kintsugi.checkpoint.open;

import static dev.kintsugi.SafetensorsBytes.entry;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.TorchWriter;
import dev.kintsugi.architecture.Config;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.WeightIndex;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Note;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.Writer;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Directories that no job wrote. The ids are those of docs/reference/safety.md.
class HostileDirectoryTest {
    private static final String INDEX = "model.safetensors.index.json";

    @TempDir
    Path scratch;

    private static Checkpoint open(Path path) {
        return Checkpoints.open(List.of(path), OpenOptions.defaults(), new Job(2));
    }

    private Fault refused(Code code, Path path) {
        Fault fault = assertThrows(Fault.class, () -> open(path).close());
        assertEquals(code, fault.code(), fault.what());
        return fault;
    }

    private void shard(String file, String... names) throws IOException {
        StringBuilder json = new StringBuilder("{");
        for (int i = 0; i < names.length; i++) {
            json.append(i == 0 ? "" : ",").append(entry(names[i], "U8", "[2]", 2 * i, 2 * i + 2));
        }
        Files.write(scratch.resolve(file), SafetensorsBytes.of(json.append('}').toString(), 2 * names.length));
    }

    private void index(Map<String, String> map) throws IOException {
        StringBuilder json = new StringBuilder("{\"metadata\":{\"total_size\":1},\"weight_map\":{");
        map.forEach((name, file) ->
                json.append('"').append(name).append("\":\"").append(file).append("\","));
        json.setLength(json.length() - 1);
        Files.writeString(scratch.resolve(INDEX), json.append("}}"));
    }

    @DisplayName("I-01 an index that names anything but plain files beside it is refused")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../etc/passwd",
                "/etc/passwd",
                "C:\\\\x",
                "\\\\\\\\host\\\\share",
                "http://x/y",
                "a/b",
                "..",
                ".",
                "",
                "a\\u0000b",
                "a\\nb"
            })
    void anIndexThatNamesOtherPlacesIsRefused(String file) throws IOException {
        index(Map.of("w", file));
        String shown = file.replace("\\u0000", "\u0000").replace("\\n", "\n").replace("\\\\", "\\");
        assertEquals(
                scratch.resolve(INDEX) + ": w lies in \"" + shown + '"',
                refused(Code.K2304, scratch).what());
    }

    @DisplayName("I-02 weights that are links are followed, for only their tensors are read")
    @Test
    void weightsThatAreLinksAreFollowed() throws IOException {
        Path elsewhere = Files.createDirectories(scratch.resolve("elsewhere"));
        shard("elsewhere/real", "w");
        Path here = Files.createDirectories(scratch.resolve("here"));
        Files.createSymbolicLink(here.resolve("model.safetensors"), elsewhere.resolve("real"));
        try (Checkpoint checkpoint = open(here)) {
            assertEquals(1, checkpoint.tensors().size());
        }
        Path secret = Files.writeString(scratch.resolve("secret"), "root:x:0:0:root:/root:/bin/bash\n".repeat(9));
        Path bad = Files.createDirectories(scratch.resolve("bad"));
        Files.createSymbolicLink(bad.resolve("model.safetensors"), secret);
        Fault fault = refused(Code.K2303, bad);
        assertTrue(!fault.what().contains("root:"), fault.what());
    }

    @DisplayName("I-03 link loops, pipes and directories under a shard's name are refused without waiting")
    @Test
    void thingsThatAreNoFilesAreRefused() throws IOException, InterruptedException {
        index(Map.of("w", "a.safetensors"));
        Path shard = scratch.resolve("a.safetensors");
        Files.createSymbolicLink(shard, shard);
        assertSoonRefused();
        Files.delete(shard);
        Files.createDirectory(shard);
        assertSoonRefused();
        Files.delete(shard);
        assertEquals(0, new ProcessBuilder("mkfifo", shard.toString()).start().waitFor());
        assertSoonRefused();
        Files.delete(shard);
        Files.createSymbolicLink(shard, Path.of("/dev/zero"));
        assertSoonRefused();
        Path loop = Files.createDirectories(scratch.resolve("loop/inner"));
        Files.createSymbolicLink(loop.resolve("up"), loop.getParent());
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> refused(Code.K2001, loop.getParent()));
    }

    private void assertSoonRefused() {
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> refused(Code.K3001, scratch));
    }

    @DisplayName("I-04 an index that disagrees with its files is refused by name; a wrong total_size is not used")
    @Test
    void anIndexThatDisagreesIsRefused() throws IOException {
        shard("a.safetensors", "u", "v");
        shard("b.safetensors", "w");
        index(new TreeMap<>(Map.of("u", "a.safetensors", "v", "a.safetensors", "w", "b.safetensors")));
        try (Checkpoint checkpoint = open(scratch)) {
            assertEquals(6, checkpoint.tensors().byteCount());
        }
        String index = scratch.resolve(INDEX) + ": ";
        index(Map.of("u", "a.safetensors", "w", "b.safetensors"));
        damaged(Code.K2304, index + "a.safetensors holds v, which the index puts in no file");
        index(Map.of("u", "a.safetensors", "v", "b.safetensors", "w", "b.safetensors"));
        damaged(Code.K2304, index + "a.safetensors holds v, which the index puts in b.safetensors");
        index(Map.of("u", "a.safetensors", "v", "a.safetensors", "w", "b.safetensors", "x", "b.safetensors"));
        damaged(Code.K2304, index + "x is not in b.safetensors");
        index(Map.of("u", "a.safetensors", "v", "a.safetensors", "w", "c.safetensors"));
        damaged(Code.K3001, scratch.resolve("c.safetensors") + " is missing, though " + INDEX + " names it");
        shard("b.safetensors", "w", "u");
        index(Map.of("u", "a.safetensors", "v", "a.safetensors", "w", "b.safetensors"));
        damaged(Code.K4013, "b.safetensors: u is in another file too");
    }

    private void damaged(Code code, String what) {
        assertEquals(what, refused(code, scratch).what());
    }

    @DisplayName("I-04 a total_size that is not that of the tensors is told, and nothing depends on it")
    @Test
    void anotherTotalSizeIsTold() throws IOException {
        shard("a.safetensors", "u", "v");
        for (long size : new long[] {4, 3, -1, Long.MAX_VALUE}) {
            Files.writeString(
                    scratch.resolve(INDEX),
                    "{\"metadata\":{\"x\":[{}],\"total_size\":" + size
                            + "},\"weight_map\":{\"u\":\"a.safetensors\",\"v\":\"a.safetensors\"}}");
            try (Checkpoint checkpoint = open(scratch)) {
                List<String> told = checkpoint.notes().stream()
                        .map(Note::text)
                        .filter(t -> t.contains("bytes"))
                        .toList();
                String said = String.format(Locale.ROOT, "%,d", size);
                assertEquals(
                        size == 4
                                ? List.of()
                                : List.of(INDEX + " says that the tensors have " + said + " bytes, they have 4"),
                        told);
            }
        }
    }

    @DisplayName("I-05 limits: an index has a largest size, a depth of 32, and no key twice")
    @Test
    void anIndexHasLimits() throws IOException {
        shard("a.safetensors", "w");
        Path index = scratch.resolve(INDEX);
        String good = "{\"weight_map\":{\"w\":\"a.safetensors\"}}";
        Files.writeString(index, good);
        try (RandomAccessFile file = new RandomAccessFile(index.toFile(), "rw")) {
            file.setLength(Limit.INDEX_BYTES.value() + 1);
        }
        damaged(Code.K2304, index + " has 100000001 bytes, the limit is 100000000");
        Files.writeString(index, good + " ".repeat((int) Limit.INDEX_BYTES.value() - good.length()));
        open(scratch).close();
        Files.writeString(index, "{\"weight_map\":{\"w\":\"a.safetensors\",\"w\":\"b.safetensors\"}}");
        damaged(Code.K2304, index + ": w is there twice");
        String map = good.substring(1, good.length() - 1);
        Files.writeString(index, "{" + map + "," + map + "}");
        damaged(Code.K2304, index + ": weight_map is there twice");
        Files.writeString(index, "{\"metadata\":{}," + map + ",\"metadata\":{}}");
        damaged(Code.K2304, index + ": metadata is there twice");
        for (String both : List.of("\"weight_map\":[]," + map, map + ",\"weight_map\":[]")) {
            Files.writeString(index, "{" + both + "}");
            damaged(Code.K2304, index + ": weight_map is there twice");
        }
        Files.writeString(index, good + "{}");
        damaged(Code.K2304, index + ": there is more text after the document");
        for (int depth : new int[] {31, 32, 100_000}) {
            Files.writeString(index, "{\"x\":" + "[".repeat(depth) + "]".repeat(depth) + "," + good.substring(1));
            if (depth == 31) {
                open(scratch).close();
            } else {
                damaged(Code.K2304, index + ": objects and arrays lie deeper within one another, the limit is 32");
            }
        }
        for (String text : List.of("", "[]", "1", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{}}")) {
            Files.writeString(index, text);
            damaged(Code.K2304, index + ": no weight_map");
        }
        Files.writeString(index, "{\"weight_map\":{\"w\":1}}");
        damaged(Code.K2304, index + ": w lies in 1");
        for (String text : List.of("\u0000", "{\"weight_map\":{\"w\":\"a.safetensors\"", "{\"weight_map\"")) {
            Files.writeString(index, text);
            assertTrue(refused(Code.K2304, scratch).what().startsWith(index + ": no JSON: "));
        }
    }

    @DisplayName("I-05 limits: an index of as many tensors as allowed, and one more")
    @Test
    void anIndexHasAMostOfTensors() throws IOException {
        shard("a.safetensors", "u", "v");
        index(Map.of("u", "a.safetensors", "v", "a.safetensors"));
        Path index = scratch.resolve(INDEX);
        Limit.during(Map.of(Limit.TENSORS, 2L), () -> WeightIndex.read(index));
        Limit.during(Map.of(Limit.TENSORS, 1L), () -> {
            Fault fault = assertThrows(Fault.class, () -> WeightIndex.read(index));
            assertEquals(index + ": it lists more tensors than allowed, the limit is 1", fault.what());
            return fault;
        });
    }

    @DisplayName("I-05 five million entries are read")
    @Test
    void fiveMillionEntriesAreRead() throws IOException {
        Path index = scratch.resolve(INDEX);
        try (Writer writer = Files.newBufferedWriter(index)) {
            writer.write("{\"weight_map\":{");
            for (int i = 0; i < 5_000_000; i++) {
                writer.write((i == 0 ? "\"" : ",\"") + Integer.toString(i, 36) + "\":\"b.s\"");
            }
            writer.write("}}");
        }
        damaged(Code.K3001, scratch.resolve("b.s") + " is missing, though " + INDEX + " names it");
    }

    @DisplayName("I-14 offsets beyond 2 and 4 GiB and elements beyond 2^31 are read where they are")
    @Test
    void offsetsBeyondFourGigabytesAreRead() throws IOException {
        long large = (1L << 32) + 10;
        Path file = scratch.resolve("model.safetensors");
        String json = "{" + entry("large", "U8", "[" + large + "]", 0, large) + ","
                + entry("last", "U8", "[4]", large, large + 4) + "}";
        Files.write(file, SafetensorsBytes.of(json, 0));
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            long start = sparse.length();
            sparse.setLength(start + large + 4);
            sparse.seek(start + large - 1);
            sparse.write(new byte[] {9, 1, 2, 3, 4});
        }
        try (Checkpoint checkpoint = open(scratch)) {
            Tensor tensor = checkpoint.tensors().tensor("large");
            byte[] end = new byte[2];
            tensor.read(large - 2, 2, MemorySegment.ofArray(end));
            assertArrayEquals(new byte[] {0, 9}, end);
            assertArrayEquals(
                    new byte[] {1, 2, 3, 4}, Golden.bytes(checkpoint.tensors().tensor("last"), 4));
        }
    }

    @DisplayName("I-16 a config.json that is deep or huge is refused, one that asks for code is only text")
    @Test
    void aHostileConfigIsTextOrRefused() throws IOException {
        Path file = scratch.resolve("config.json");
        Files.writeString(file, "{\"auto_map\":{\"AutoModel\":\"evil.Model\"},\"trust_remote_code\":true}");
        assertTrue(Config.read(file).text().contains("evil.Model"));
        Files.writeString(file, "{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}");
        assertEquals(
                Code.K2305, assertThrows(Fault.class, () -> Config.read(file)).code());
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength((16 << 20) + 1);
        }
        assertEquals(
                Code.K2305, assertThrows(Fault.class, () -> Config.read(file)).code());
    }

    @DisplayName("R-06 a checkpoint of 1,024 ranks opens, each file mapped once")
    @Test
    void aThousandRanksOpen() throws IOException {
        int ranks = 1024;
        for (int rank = 0; rank < ranks; rank++) {
            byte[] data = new byte[64];
            Arrays.fill(data, (byte) rank);
            TorchWriter.write(
                    scratch.resolve("model_world_size_" + ranks + "_rank_" + rank + ".pt"),
                    Map.of("layers.0.weight", new TorchWriter.Tensor(DType.F32, List.of(1L, 16L), data, 0)));
        }
        try (Checkpoint checkpoint = open(scratch)) {
            assertEquals(ranks, checkpoint.worldSize());
            assertEquals(ranks, checkpoint.resources().all().size());
            byte[] all = Golden.bytes(checkpoint.tensors().tensor("layers.0.weight"), 1 << 20);
            assertEquals(64 * ranks, all.length);
            assertEquals((byte) 1023, all[64 * 1023]);
        }
    }

    @DisplayName("R-06 a file name that claims ten million ranks is refused soon")
    @Test
    void aClaimOfManyRanksIsRefused() {
        TorchWriter.write(scratch.resolve("model_world_size_9999999_rank_0.pt"), Map.of());
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> refused(Code.K3006, scratch));
    }
}
