package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import dev.kintsugi.numeric.Elements;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Merges of models with different vocabularies: `tok-a` and `tok-b` share 31 tokens and have 9 of their own each.
class FuseTokensTest {
    private static final Path CASES = Golden.resource("fusion/tokens");
    private static final Path FAMILY = FuseShell.MODELS.resolve("llama-fp32");
    private static final int WIDTH = 64;

    @TempDir
    Path temporary;

    private final FuseShell shell = new FuseShell();

    @BeforeEach
    void open() {
        shell.type("open " + FAMILY.resolve("base") + " --as tok-a --sidecars " + FAMILY.resolve("tok-a"));
        shell.type("open " + FAMILY.resolve("e1") + " --as tok-b --sidecars " + FAMILY.resolve("tok-b"));
    }

    @AfterEach
    void close() {
        shell.close();
    }

    private Path file(String yaml) throws IOException {
        Path file = temporary.resolve("merge.yml");
        Files.writeString(file, yaml);
        return file;
    }

    private Path merged(String yaml) throws IOException {
        shell.type("fuse --from " + file(yaml) + " --as merged");
        Path out = temporary.resolve("out");
        shell.type("export merged " + out);
        return out;
    }

    private static String linear(String tokenizer) {
        return "merge_method: linear\nbase_model: tok-a\nmodels:\n- {model: tok-a, parameters: {weight: 0.25}}\n"
                + "- {model: tok-b, parameters: {weight: 0.75}}\n" + tokenizer;
    }

    private static Map<String, Integer> vocabulary(Path tokenizer) throws IOException {
        JsonNode root = JsonMapper.shared().readTree(Files.readString(tokenizer));
        Map<String, Integer> ids = new LinkedHashMap<>();
        (root.has("model") ? root.path("model").path("vocab") : root).forEachEntry((t, id) -> ids.put(t, id.asInt()));
        root.path("added_tokens")
                .forEach(t -> ids.put(t.get("content").asString(), t.get("id").asInt()));
        return ids;
    }

    private static double[] values(Path file, String name) {
        Golden.Values values = Golden.read(file).get(name);
        double[] doubles = new double[(int) values.spec().elementCount()];
        Elements.toDoubles(values.spec().dtype(), MemorySegment.ofArray(values.bytes()), doubles, doubles.length);
        return doubles;
    }

    private static double[] row(double[] matrix, int row) {
        return Arrays.copyOfRange(matrix, row * WIDTH, (row + 1) * WIDTH);
    }

    private static JsonNode config(Path out) throws IOException {
        return JsonMapper.shared().readTree(Files.readString(out.resolve("config.json")));
    }

    @ParameterizedTest
    @CsvSource({"base, 40", "union, 49", "union-padded, 64", "union-forced, 49"})
    void rowsAreThoseOfMergekitTokenByToken(String name, int rows) throws IOException {
        Path golden = CASES.resolve(name);
        Path out = merged(Files.readString(golden.resolve("config.yml")));
        Map<String, Integer> theirs = vocabulary(golden.resolve("vocab.json"));
        Map<String, Integer> ours = vocabulary(out.resolve("tokenizer.json"));
        assertEquals(theirs.keySet(), ours.keySet());
        assertEquals(rows, config(out).get("vocab_size").asInt());
        for (String tensor : new String[] {"model.embed_tokens.weight", "lm_head.weight"}) {
            double[] right = values(golden.resolve("expected.safetensors"), tensor);
            double[] got = values(out.resolve("model.safetensors"), tensor);
            assertEquals(right.length, got.length);
            double rms =
                    Math.sqrt(Arrays.stream(right).map(v -> v * v).average().orElse(0));
            Map<Integer, Integer> pairs = new LinkedHashMap<>();
            theirs.forEach((token, row) -> pairs.put(row, ours.get(token)));
            for (int row = theirs.size(); row < rows; row++) {
                pairs.put(row, row);
            }
            pairs.forEach((there, here) ->
                    assertClose(row(right, there), row(got, here), rms, tensor + " row " + there + " as " + here));
        }
        assertTrue(shell.type("validate merged").contains(": valid"));
    }

    private static void assertClose(double[] right, double[] got, double rms, String where) {
        for (int i = 0; i < right.length; i++) {
            assertEquals(right[i], got[i], Math.max(Math.abs(right[i]), rms) * 0x1p-20, where);
        }
    }

    @Test
    void theNumbersOfAUnionAreTheSameInEveryRun() throws IOException {
        Path out = merged(linear("tokenizer_source: union\n"));
        Map<String, Integer> ids = vocabulary(out.resolve("tokenizer.json"));
        for (int i = 0; i < 9; i++) {
            assertEquals(40 + i, ids.get("x" + i));
        }
        assertEquals(vocabulary(FAMILY.resolve("tok-a/tokenizer.json")).get("w7"), ids.get("w7"));
        assertTrue(shell.type("explain merged").contains("tok-a lacks 9 tokens"));
        assertEquals(3, shell.json("explain merged").get("tokens").size());
    }

    @Test
    void whatIsLostIsSaidByName() throws IOException {
        shell.type("fuse --from " + file(linear("tokenizer_source: base\n")) + " --as merged");
        assertTrue(shell.errors().contains("9 tokens of tok-b are lost: x0 x1 x2 x3 x4 and 4 more"), shell.errors());
        assertTrue(shell.errors().contains("tok-b lacks 9 tokens"), shell.errors());
    }

    @Test
    void theTokenizerOfAModelComesWithItsFilesAndTheNumbersInTheConfiguration() throws IOException {
        Path out = merged(linear("tokenizer: {source: tok-b, tokens: {w0: {source: {kind: zero}, force: true}}}\n"));
        Map<String, Integer> ids = vocabulary(out.resolve("tokenizer.json"));
        Map<String, Integer> theirs = vocabulary(FAMILY.resolve("tok-b/tokenizer.json"));
        theirs.forEach((token, id) -> assertEquals(id, ids.get(token), token));
        assertEquals(40, ids.get("w0"));
        double[] embedding = values(out.resolve("model.safetensors"), "model.embed_tokens.weight");
        assertEquals(0, Arrays.stream(row(embedding, 40)).map(Math::abs).sum());
        double[] a = values(FAMILY.resolve("base/model.safetensors"), "model.embed_tokens.weight");
        double[] b = values(FAMILY.resolve("e1/model.safetensors"), "model.embed_tokens.weight");
        int w9 = vocabulary(FAMILY.resolve("tok-a/tokenizer.json")).get("w9");
        double[] row = row(embedding, ids.get("w9"));
        for (int i = 0; i < WIDTH; i++) {
            double wanted = 0.25 * a[w9 * WIDTH + i] + 0.75 * b[theirs.get("w9") * WIDTH + i];
            assertEquals((float) wanted, row[i]);
        }
        assertFalse(shell.type("info merged").isEmpty());
    }

    @Test
    void aTokenSeveralModelsHaveAndTheMergeHasNoBaseForIsTheMean() throws IOException {
        Path third = Files.createDirectories(temporary.resolve("third"));
        Files.copy(FAMILY.resolve("tok-a/config.json"), third.resolve("config.json"));
        String text = Files.readString(FAMILY.resolve("tok-a/tokenizer.json"));
        Files.writeString(third.resolve("tokenizer.json"), text.replace("\"w3\"", "\"other\""));
        shell.type("open " + FAMILY.resolve("e2") + " --as c --sidecars " + third);
        Path out = merged("merge_method: linear\nparameters: {weight: 1}\n"
                + "models: [{model: c}, {model: tok-a}, {model: tok-b}]\ntokenizer: {source: union}\n");
        Map<String, Integer> ids = vocabulary(out.resolve("tokenizer.json"));
        Map<String, Integer> inA = vocabulary(FAMILY.resolve("tok-a/tokenizer.json"));
        double[] embedding = values(out.resolve("model.safetensors"), "model.embed_tokens.weight");
        double[] a = row(values(FAMILY.resolve("base/model.safetensors"), "model.embed_tokens.weight"), inA.get("w3"));
        double[] shared = row(embedding, ids.get("w3"));
        for (int i = 0; i < WIDTH; i++) {
            assertEquals((float) ((a[i] + a[i] + a[i]) / 3), shared[i], "tok-a alone has w3, and all take its row");
        }
        double[] c = values(FAMILY.resolve("e2/model.safetensors"), "model.embed_tokens.weight");
        double[] w0 = row(embedding, ids.get("w0"));
        for (int i = 0; i < WIDTH; i++) {
            double mine = c[inA.get("w0") * WIDTH + i];
            double other = values(FAMILY.resolve("base/model.safetensors"), "model.embed_tokens.weight")[
                    inA.get("w0") * WIDTH + i];
            assertEquals((float) ((mine + other + (mine + other) / 2) / 3), w0[i], "tok-b takes the owners' mean");
        }
    }

    @Test
    void fusionsOfMergedVocabulariesKeepTheirTokens() throws IOException {
        Path file = file(linear("tokenizer: {source: union, pad_to_multiple_of: 16}\n"));
        shell.type("fuse --from " + file + " --as one");
        shell.type("fuse --from " + file + " --as two");
        shell.type("fuse weighted-average one two --as again");
        Path out = temporary.resolve("again");
        shell.type("export again " + out);
        assertEquals(49, vocabulary(out.resolve("tokenizer.json")).size());
        assertEquals(64, config(out).get("vocab_size").asInt());
        String errors = shell.fails(Status.REFUSED, "fuse weighted-average one tok-a --as no");
        assertTrue(errors.contains("would lose 24 tokens"), errors);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tokenizer: {source: union, tokens: {x1: {source: tok-a}}} | tok-a has no row for the token x1",
                "tokenizer: {source: union, tokens: {x1: {source: tok-c}}} | tok-c",
                "tokenizer: {source: union, tokens: {new: {source: tok-a}}} | tok-a has no row for the token new",
                "tokenizer: {source: nowhere} | nowhere: no such path",
                "tokenizer: {source: union, pad_to_multiple_of: 0} | pad_to_multiple_of is 0",
                "tokenizer: {source: union, tokens: {x1: {force: true}}} | source",
                "tokenizer: {source: union, tokens: {x1: {source: {kind: model_token, model: tok-b}}}} | token_id",
                "tokenizer: {source: union, tokens: {x1: {source: {kind: model_token, model: tok-b, token_id: 99}}}}"
                        + " | has no row 99"
            })
    void whatCannotBeMadeExactIsRefusedByName(String line) throws IOException {
        String[] parts = line.split(" \\| ");
        String errors = refused(file(linear(parts[0] + "\n")));
        assertTrue(errors.contains(parts[1]), errors);
        assertTrue(errors.contains("K7003") || errors.contains("K7006") || errors.contains("K1010"), errors);
    }

    private String refused(Path file) {
        Transcript.Result result = shell.run("fuse --from " + file + " --as no");
        assertTrue(result.status() == Status.REFUSED || result.status() == Status.USAGE, result.err());
        return result.err();
    }
}
