package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.PickleBytes;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every limit as a person meets it: at it a command runs, one below what the file asks for it is refused by name.
class LimitsTest {
    @TempDir
    Path scratch;

    private final Typed typed = new Typed();
    private final StringWriter out = typed.out;
    private final StringWriter err = typed.err;

    private Status run(String... lines) {
        return typed.run(lines);
    }

    private Path write(String name, byte[] bytes) {
        try {
            return Files.write(Files.createDirectories(scratch.resolve("m")).resolve(name), bytes);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void torch(PickleBytes pickle) {
        write("pytorch_model.bin", ZipBytes.torch(pickle.stop(), "0", new byte[16]));
    }

    private static PickleBytes dict() {
        return PickleBytes.proto2().op('}');
    }

    private void two(String config) {
        String json = "{" + SafetensorsBytes.entry("a", "U8", "[2,1]", 0, 2) + ","
                + SafetensorsBytes.entry("b", "U8", "[2]", 2, 4) + "}";
        write("model.safetensors", SafetensorsBytes.of(json, 4));
        write("config.json", config.getBytes(StandardCharsets.UTF_8));
    }

    static Stream<Arguments> limits() {
        return Stream.of(
                Arguments.of(Limit.TENSORS, 2, "open %s"),
                Arguments.of(Limit.DIMS, 2, "open %s"),
                Arguments.of(Limit.JSON_BYTES, 12, "open %s"),
                Arguments.of(Limit.JSON_DEPTH, 3, "open %s"));
    }

    @DisplayName("limits: tensors, dims, JSON bytes and depth, at the limit and one past it")
    @ParameterizedTest
    @MethodSource("limits")
    void aLimitHoldsAtItAndOnePast(Limit limit, long asked, String line) {
        two("{\"a\":[[1]]} ");
        String command = line.formatted(scratch.resolve("m")) + " --limit " + limit.label() + "=";
        assertEquals(Status.DONE, run(command + asked), err.toString());
        assertEquals(Status.CORRUPT, run(command + (asked - 1)), out.toString());
        assertEquals(limit.usual(), limit.value(), "the limit was changed for one command");
    }

    @DisplayName("limits: safetensors header bytes, at the limit and one past it")
    @Test
    void theHeaderHasALimit() throws IOException {
        two("{}");
        byte[] file = Files.readAllBytes(scratch.resolve("m/model.safetensors"));
        int header = file.length - 8 - 4;
        String command = "open " + scratch.resolve("m") + " --limit header-bytes=";
        assertEquals(Status.DONE, run(command + header), err.toString());
        assertEquals(Status.CORRUPT, run(command + (header - 1)));
        assertTrue(err.toString().contains("--limit header-bytes=NUMBER"), err.toString());
    }

    @DisplayName(
            "limits: dicts within dicts, characters of names and tensors of a torch file, at the limit and one past it")
    @Test
    void aStateDictHasLimits() {
        torch(dict().text("a").op('}').text("w").vector("0", 4).op('s', 's'));
        String open = "open " + scratch.resolve("m") + " --limit ";
        // "a" and its dot, "a.w" and one more
        for (String at : new String[] {"dict-depth=2", "name-characters=6", "tensors=1", "dims=1"}) {
            assertEquals(Status.DONE, run(open + at), at + err);
        }
        torch(dict().text("a")
                .op('}')
                .text("w")
                .vector("0", 4)
                .op('s')
                .text("v")
                .vector("0", 4)
                .op('s', 's'));
        for (String past : new String[] {"dict-depth=1", "name-characters=9", "tensors=1"}) {
            assertEquals(Status.CORRUPT, run(open + past), past);
        }
        assertEquals(Status.DONE, run(open + "name-characters=10"), err.toString());
    }

    @DisplayName("limits: ranks, entries of an archive and bytes of its directory, at the limit and one past it")
    @Test
    void ranksAndArchivesHaveLimits() {
        String open = "open '" + Golden.resource("fsdp/fsdp2_4/ckpt").toAbsolutePath() + "' --limit ranks=";
        assertEquals(Status.DONE, run(open + 4), err.toString());
        assertEquals(Status.CORRUPT, run(open + 3));
        torch(dict().text("w").vector("0", 4).op('s'));
        String torch = "open " + scratch.resolve("m") + " --limit ";
        byte[] archive = ZipBytes.torch(dict().text("w").vector("0", 4).op('s').stop(), "0", new byte[16]);
        int entries = ByteBuffer.wrap(archive).order(ByteOrder.LITTLE_ENDIAN).getShort(archive.length - 22 + 10);
        int directory = ByteBuffer.wrap(archive).order(ByteOrder.LITTLE_ENDIAN).getInt(archive.length - 22 + 12);
        assertEquals(Status.DONE, run(torch + "zip-entries=" + entries), err.toString());
        assertEquals(Status.CORRUPT, run(torch + "zip-entries=" + (entries - 1)));
        assertEquals(Status.DONE, run(torch + "zip-directory=" + directory), err.toString());
        assertEquals(Status.CORRUPT, run(torch + "zip-directory=" + (directory - 1)));
    }

    @DisplayName("limits: recipes and merge configurations, at the limit and one past it")
    @Test
    void recipesHaveLimits() throws IOException {
        Path recipe = Files.writeString(scratch.resolve("r.rsh"), "version\n");
        assertEquals(Status.DONE, run("set limit.recipe-bytes 8", "run " + recipe), err.toString());
        assertEquals(Status.USAGE, run("set limit.recipe-bytes 7", "run " + recipe));
        Path outer = Files.writeString(scratch.resolve("o.rsh"), "run " + recipe + "\n");
        assertEquals(Status.DONE, run("set limit.recipe-depth 2", "run " + outer), err.toString());
        assertEquals(Status.USAGE, run("set limit.recipe-depth 1", "run " + outer));
        Path merge = Files.writeString(scratch.resolve("m.yml"), "merge_method: none");
        run("set limit.merge-file-bytes 18", "fuse --from " + merge + " --as x");
        assertFalse(err.toString().contains("18 bytes"), err.toString());
        run("set limit.merge-file-bytes 17", "fuse --from " + merge + " --as x");
        assertTrue(err.toString().contains("has 18 bytes, the limit is 17"), err.toString());
    }

    @DisplayName("limits: directories looked through, at the limit and one past it")
    @Test
    void theSearchForACheckpointHasALimit() throws IOException {
        two("{}");
        Path root = Files.createDirectories(scratch.resolve("root/a/b"));
        Files.createDirectories(scratch.resolve("root/z"));
        Files.move(scratch.resolve("m"), root.resolve("m"));
        // root, a, b, z; the checkpoint itself is recognised, not looked through
        String open = "open " + scratch.resolve("root") + " --limit directories=";
        assertEquals(Status.DONE, run(open + 4), err.toString());
        assertEquals(Status.CORRUPT, run(open + 3), "z may hold another");
        assertTrue(err.toString().contains("looked through for a checkpoint: 4, the limit is 3"), err.toString());
    }

    @DisplayName("limits: bytes of a tokenizer, at the limit and one past it")
    @Test
    void aTokenizerHasALimit() throws IOException {
        Path family = Golden.resource("fusion/mergekit/models/llama-fp32").toAbsolutePath();
        Path more = Files.createDirectories(scratch.resolve("more"));
        Files.copy(family.resolve("tok-a/config.json"), more.resolve("config.json"));
        String tokens = Files.readString(family.resolve("tok-a/tokenizer.json"))
                .replaceFirst("\"added_tokens\": \\[", "$0 {\"id\": 40, \"content\": \"<think>\"},");
        Files.writeString(more.resolve("tokenizer.json"), tokens);
        Path merge = Files.writeString(scratch.resolve("merge.yml"), """
            merge_method: linear
            base_model: a
            parameters: {weight: 1}
            models: [{model: a}, {model: b}]
            tokenizer_source: union
            """);
        int bytes = tokens.getBytes(StandardCharsets.UTF_8).length;
        String[] lines = {
            "open " + quoted(family.resolve("base")) + " --as a --sidecars " + quoted(family.resolve("tok-a")),
            "open " + quoted(family.resolve("e1")) + " --as b --sidecars " + quoted(more),
            "",
            "fuse --from " + merge + " --as x"
        };
        lines[2] = "set limit.tokenizer-bytes " + bytes;
        assertEquals(Status.DONE, run(lines), err.toString());
        lines[2] = "set limit.tokenizer-bytes " + (bytes - 1);
        assertEquals(Status.CORRUPT, run(lines), out.toString());
        assertTrue(err.toString().contains("has " + bytes + " bytes, the limit is " + (bytes - 1)), err.toString());
    }

    @DisplayName("limits: set changes one until the shell ends, and shows it")
    @Test
    void setChangesALimitUntilTheShellEnds() {
        assertEquals(Status.DONE, run("set limit.dims 2", "set"));
        assertTrue(out.toString().contains("limit.dims"), out.toString());
        assertEquals(Limit.DIMS.usual(), Limit.DIMS.value());
        for (String wrong :
                new String[] {"limit.dim 2", "limit.dims 0", "limit.dims x", "limit.dims 99999999999999999999"}) {
            assertEquals(Status.USAGE, run("set " + wrong), wrong);
        }
        assertTrue(err.toString().contains("did you mean dims?"), err.toString());
        assertEquals(Status.USAGE, run("verify " + scratch + " --limit dims"));
    }

    @DisplayName("limits: help safety lists every one, with the promises")
    @Test
    void helpSafetyListsEveryLimit() {
        assertEquals(Status.DONE, run("help safety"));
        for (Limit limit : Limit.values()) {
            assertTrue(out.toString().contains(limit.label()), limit.label());
        }
        assertTrue(out.toString().contains("Nothing in a checkpoint is executed"), out.toString());
    }

    private static String quoted(Path path) {
        return Tokenizer.quote(path.toString());
    }
}
