package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Fusing at the prompt: real small models in, Hugging Face directories out.
class FuseTest {
    private static final Path CASES = Golden.resource("fusion/mergekit/cases");

    @TempDir
    Path temporary;

    private Map<String, Golden.Values> exported(String folder) {
        return Golden.read(temporary.resolve(folder).resolve("model.safetensors"));
    }

    private static double[] doubles(Golden.Values values) {
        double[] doubles = new double[Math.toIntExact(values.spec().elementCount())];
        Elements.toDoubles(values.spec().dtype(), MemorySegment.ofArray(values.bytes()), doubles, doubles.length);
        return doubles;
    }

    /// The goldens are exact answers rounded once by another program: equal but for single elements on a
    /// rounding border, and for those that hang on which of two equal changes is the larger, which the
    /// manifest counts.
    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', textBlock = """
        linear-weighted       | linear e1 e2 e3 --weights 0.5,0.3,0.2
        linear-gradient       | linear e1 e2 e3 --weights e1=[0,0.5,1],e2=1..0.25,e3=0.4
        linear-filter         | linear e1 e2 --weights e1=0.5,e2@**norm**=0,e2=0.8 --weights e1@**mlp**=0.1 --weights e1@**self_attn**=[0,0.5,1]
        ties                  | ties e1 e2 e3 --base base --weights 1,0.8,0.6 --density 0.5
        ties-gradient-density | ties e1 e2 --base base --weights e1=1,e2=1..0.25 --density e1=0.8,e2=0.4..0.9
        ties-mixed            | --from
        slerp-gradient        | --from
        slices-slerp          | --from
        task-arithmetic-lambda | --from
        """)
    void isWhatMergekitShouldHaveWritten(String name, String line) throws IOException {
        Path folder = CASES.resolve("qwen2-bf16").resolve(name);
        try (FuseShell shell = FuseShell.of("qwen2-bf16")) {
            shell.type("fuse " + (line.equals("--from") ? "--from " + config(folder) : line) + " --as blend");
            assertTrue(shell.type("validate blend --data").startsWith("blend as Qwen2ForCausalLM: valid"));
            shell.type("export blend " + temporary.resolve("out"));
        }
        Map<String, Golden.Values> written = exported("out");
        long elements = 0;
        long unequal = 0;
        for (Map.Entry<String, Golden.Values> golden :
                Golden.read(folder.resolve("exact.safetensors")).entrySet()) {
            double[] right = doubles(golden.getValue());
            double[] ours = doubles(written.get(golden.getKey()));
            for (int i = 0; i < right.length; i++) {
                elements++;
                unequal += ours[i] == right[i] ? 0 : 1;
            }
        }
        assertTrue(
                unequal <= tooCloseToCall("qwen2-bf16/" + name) + elements / 1000,
                unequal + " of " + elements + " elements differ");
    }

    private static long tooCloseToCall(String name) throws IOException {
        Path manifest = Golden.resource("fusion/mergekit/manifest.json");
        for (JsonNode one :
                JsonMapper.shared().readTree(Files.readString(manifest)).get("cases")) {
            if (one.get("name").asString().equals(name)) {
                return one.get("too_close_to_call").asLong();
            }
        }
        return 0;
    }

    private Path config(Path folder) throws IOException {
        Path root = Golden.resource("fusion/mergekit").toAbsolutePath();
        Path copy = temporary.resolve("config.yml");
        String text = Files.readString(folder.resolve("config.yml"));
        Files.writeString(copy, text.replace("models/", root + "/models/"));
        return copy;
    }

    @Test
    void twoRunsUnderFsdpAndABaseFromTheHubFuseWithoutACopyBetween() {
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + FuseShell.RUNS.resolve("fsdp1_4/ckpt") + " --as one");
            shell.type("open " + FuseShell.RUNS.resolve("fsdp_tp_2x2/ckpt") + " --as two");
            shell.type("open " + FuseShell.RUNS.resolve("fsdp1_4/expected") + " --as base");
            shell.type("fuse task-arithmetic one two --base base --as sum");
            shell.type("assert equal sum two");
            shell.type("fuse weighted-average one two base --weights 0.2,0.5,0.3 --as blend");
            shell.type("validate blend --data");
            shell.type("export blend " + temporary.resolve("out"));
        }
        Map<String, Golden.Values> one = Golden.read(FuseShell.RUNS.resolve("fsdp1_4/expected/model.safetensors"));
        Map<String, Golden.Values> two = Golden.read(FuseShell.RUNS.resolve("fsdp_tp_2x2/expected/model.safetensors"));
        Map<String, Golden.Values> written = exported("out");
        assertEquals(one.keySet(), written.keySet());
        one.forEach((name, values) -> {
            double[] a = doubles(values);
            double[] b = doubles(two.get(name));
            double[] mean = new double[a.length];
            for (int i = 0; i < a.length; i++) {
                mean[i] = (0.2 * a[i] + 0.5 * b[i] + 0.3 * a[i]) / (0.2 + 0.5 + 0.3);
            }
            byte[] rounded = new byte[values.bytes().length];
            Elements.fromDoubles(DType.BF16, mean, MemorySegment.ofArray(rounded), mean.length);
            assertArrayEquals(rounded, written.get(name).bytes(), name);
        });
    }

    @Test
    void theFileIsTheSameOnOneThreadAndOnFour() throws IOException {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse dare-ties e1 e2 e3 --base base --density 0.5 --seed 7 --as random");
            shell.type("fuse attention e1 e2 random --base base --as blend");
            shell.type("export blend " + temporary.resolve("one") + " --threads 1");
            shell.type("export blend " + temporary.resolve("four") + " --threads 4");
        }
        assertEquals(
                -1,
                Files.mismatch(
                        temporary.resolve("one/model.safetensors"), temporary.resolve("four/model.safetensors")));
    }

    @Test
    void theFileTellsItsRecipeUnlessItIsToBePlain() throws IOException {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse linear e1 e2 --weights 0.3,0.7 --as half");
            shell.type("fuse linear half e3 --as blend");
            shell.type("export blend " + temporary.resolve("told"));
            shell.type("export blend " + temporary.resolve("plain") + " --plain");
            shell.type("export e1 " + temporary.resolve("copy"));
        }
        String told = header("told");
        assertTrue(told.contains("kintsugi.recipe"), told);
        assertTrue(told.contains("fuse linear e1 e2 --as half --weights 0.3,0.7"), told);
        assertTrue(told.contains("fuse linear half e3 --as blend"), told);
        assertTrue(told.contains("e3: safetensors"), told);
        assertFalse(header("plain").contains("kintsugi"));
        assertFalse(header("copy").contains("kintsugi"));
    }

    private String header(String folder) throws IOException {
        byte[] bytes = Files.readAllBytes(temporary.resolve(folder).resolve("model.safetensors"));
        return new String(bytes, 8, 2000, StandardCharsets.ISO_8859_1);
    }

    @Test
    void tensorsOutsideTheSelectionComeFromTheRest() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            String said = shell.type("fuse linear e1 e2 --layers 'layers.{1..2}.**' --rest base --as blend");
            assertTrue(said.contains("18 computed, 12 copied"), said);
            shell.type("fuse linear e1 e2 --as all");
            assertTrue(shell.type("explain blend model.embed_tokens.weight").contains("unchanged from base"));
            assertEquals(
                    "base", shell.json("explain blend").get("parents").get(2).asString());
        }
    }

    @Test
    void aFusionStaysLazyAndKeepsItsModelsOpen() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse linear e1 e2 --as half");
            shell.type("fuse slerp half --base base --t 0.5 --as blend");
            String refused = shell.fails(Status.REFUSED, "close e1");
            assertTrue(refused.contains("K7007") && refused.contains("e1 is part of half"), refused);
            assertTrue(shell.fails(Status.REFUSED, "unfuse half").contains("half is part of blend"));
            assertTrue(shell.fails(Status.REFUSED, "fuse linear e1 e3 --as half --redefine")
                    .contains("half is part of blend"));
            assertTrue(shell.fails(Status.USAGE, "fuse linear e1 e3 --as half").contains("K1009"));
            assertTrue(shell.fails(Status.USAGE, "unfuse e1").contains("no fusion"));
            shell.type("unfuse blend");
            shell.type("fuse linear e1 e3 --as half --redefine");
            shell.type("close e1 half");
            assertEquals(
                    "[base, e2, e3]", shell.shell().session().models().keySet().toString());
        }
    }

    @Test
    void ranksLaidEndToEndAreTheModelAndAWrongDimIsExplained() {
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + FuseShell.RUNS.resolve("fsdp2_4/ckpt") + " --as run");
            shell.type("fuse concatenate run@* --as joined");
            shell.type("assert equal joined run");
            shell.type("fuse concatenate run@* --dim 1 --dim '@**norm.weight=0,@**.bias=0' --as wrong");
            assertTrue(
                    shell.errors()
                            .contains(
                                    "config.json wants [32, 32]: --dim '@**.self_attn.q_proj.weight=0' gives it (×2)"),
                    shell.errors());
            assertTrue(
                    shell.fails(Status.USAGE, "fuse concatenate run@9 --as x").contains("run has no rank 9"));
        }
    }

    @Test
    void anAdapterIsMergedWithItsTrueScale() {
        Path lora = FuseShell.RUNS.resolve("lora_4");
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + lora.resolve("ckpt") + " --as run");
            shell.type("open " + lora.resolve("expected") + " --as base");
            shell.type("open " + lora.resolve("expected/adapter") + " --as adapter");
            shell.type("fuse passthrough run --as merged");
            assertTrue(shell.errors().contains("the adapter of run (rank 6, alpha 12) is merged into run"));
            shell.type("fuse passthrough base+adapter --as again");
            shell.type("assert equal merged again");
            shell.type("fuse weighted-average base+adapter base --as half");
            shell.type("export again " + temporary.resolve("out"));
            assertTrue(shell.fails(Status.REFUSED, "fuse linear adapter base --as x")
                    .contains("adapter alone"));
            assertTrue(shell.fails(Status.REFUSED, "fuse linear adapter+base base --as x")
                    .contains("K7003"));
            assertTrue(shell.fails(Status.REFUSED, "close adapter").contains("again, half"));
        }
        Map<String, Golden.Values> written = exported("out");
        Golden.read(lora.resolve("expected_merged/model.safetensors")).forEach((name, values) -> {
            double[] right = doubles(values);
            double[] ours = doubles(written.get(name));
            for (int i = 0; i < right.length; i++) {
                double spacing = Math.scalb(1.0, Math.getExponent(right[i]) - 7);
                assertTrue(Math.abs(ours[i] - right[i]) <= spacing, name + "[" + i + "]");
            }
        });
    }

    @Test
    void nanIsRefusedAndCountedUnlessAllowed() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse linear e1 e2 --weights 1e39,1e39 --normalize false --as huge");
            String refused = shell.fails(Status.REFUSED, "export huge " + temporary.resolve("out"));
            assertTrue(refused.contains("K7004") && refused.contains("elements"), refused);
            assertFalse(Files.exists(temporary.resolve("out")));
            shell.type("fuse linear e1 e2 --weights 1e39,1e39 --normalize false --allow-non-finite --as any");
            shell.type("export any " + temporary.resolve("out"));
        }
    }

    @Test
    void commandsThatLookWorkOnAFusion() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse linear e1 e2 --as blend");
            for (String line : List.of(
                    "show blend model.norm.weight",
                    "stats blend layers.0.**",
                    "hist blend",
                    "tree blend",
                    "info blend",
                    "tensors blend",
                    "assert finite blend",
                    "workspace")) {
                shell.type(line);
            }
            assertTrue(shell.fails(Status.DIFFERENT, "diff blend e1").isEmpty());
            assertTrue(shell.fails(Status.USAGE, "shards blend").contains("fusion"));
            shell.type("close e3");
            shell.type("undo");
            shell.type("unfuse blend");
            shell.type("undo");
            shell.type("assert tensors == 30 blend");
        }
    }
}
