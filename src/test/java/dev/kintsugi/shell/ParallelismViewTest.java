package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Stages, tensor- and expert-parallel ranks of Megatron, and flat buffers of ZeRO, as people see them.
class ParallelismViewTest {
    @TempDir
    Path scratch;

    private final Transcript shell = new Transcript();

    private void open(String resource) {
        Transcript.Result opened = shell.run("open " + Golden.resource(resource) + " --as m");
        assertEquals(Status.DONE, opened.status(), opened.err());
    }

    private String out(String line) {
        Transcript.Result result = shell.run(line);
        assertEquals(Status.DONE, result.status(), result.err());
        return result.out();
    }

    @Test
    void aMeshWithHolesNamesThem() {
        open("megatron/legacy_qwen3moe_tp2_ep2/input");
        assertEquals("""
            m  pp=1 × dp=1 × ep=2 × tp=2  (2 ranks)
              pp=0 dp=0
                    tp →
                   ┌───┬───┐
              ep=0 │ 0 │ · │
              ep=1 │ · │ 1 │
                   └───┴───┘
            · no rank at pp=0 dp=0 ep=0 tp=1; pp=0 dp=0 ep=1 tp=0: nothing is missing, other ranks hold all of it
            """, out("mesh m"));
        JsonNode json = JsonMapper.shared().readTree(out("mesh m --format json"));
        assertEquals("[0,null,null,1]", json.path("ranks").toString());
        assertEquals(2, json.path("no_rank").size());
    }

    @Test
    void explainAndPlacementsNameStageGroupRankFileAndMegatronsName() {
        open("megatron/legacy_qwen2_padded_tp2_pp2/input");
        String explained = out("explain m model.layers.3.self_attn.v_proj.weight");
        assertTrue(explained.contains("  in Megatron  decoder.layers.3.self_attention.linear_qkv.weight\n"), explained);
        assertTrue(explained.contains("mesh dim pp=2  Stage(1)"), explained);
        assertTrue(explained.contains("mp_rank_01_001/model_optim_rng.pt"), explained);
        assertTrue(
                explained
                        .replaceAll("\\s+", " ")
                        .contains("at pp=1 dp=0 tp=1, query group 1 of 2 in"
                                + " decoder.layers.1.self_attention.linear_qkv.weight,"),
                explained);
        String placed =
                out("placements m model.layers.3.self_attn.v_proj.weight").replaceAll("\\s+", " ");
        assertTrue(placed.contains("pp: Stage(1), tp: Shard(0)"), placed);
        assertTrue(
                placed.contains("in Megatron decoder.layers.3.self_attention.linear_qkv.weight: query group 0 of 2 on"
                        + " rank 1, query group 1 of 2 on rank 3"),
                placed);
        assertTrue(placed.contains("rank 3 at pp=1 dp=0 tp=1: mp_rank_01_001/model_optim_rng.pt"), placed);
        JsonNode row = JsonMapper.shared()
                .readTree(out("placements m model.layers.3.self_attn.v_proj.weight --format json"))
                .path("tensors")
                .path(0);
        assertEquals("query groups 0-1 of 2", row.path("parts").asString());
        assertEquals(
                "[\"pp=1 dp=0 tp=0\",\"pp=1 dp=0 tp=1\"]",
                row.path("coordinates").toString());
        JsonNode piece = JsonMapper.shared()
                .readTree(out("explain m model.layers.3.self_attn.v_proj.weight --format json"))
                .path("pieces")
                .path(1);
        assertEquals("pp=1 dp=0 tp=1", piece.path("coordinate").asString());
        assertEquals("query group 1 of 2", piece.path("part").asString());
        assertEquals(
                "decoder.layers.1.self_attention.linear_qkv.weight",
                piece.path("stored_name").asString());
    }

    /// The rows of k lie behind others in the file: the copies that differ are found all the same.
    @Test
    void aReplicaThatDiffersInOneQueryGroupIsFound() throws IOException {
        Path copy = scratch.resolve("moe");
        Fixtures.copy("megatron/legacy_qwen3moe_ep2_pp2_local", copy);
        shell.run("open " + copy.resolve("input") + " --as m");
        assertEquals(Status.DONE, shell.run("validate m --data").status());
        JsonNode pieces = JsonMapper.shared()
                .readTree(out("explain m model.layers.1.self_attn.k_proj.weight --format json"))
                .path("pieces");
        JsonNode replica = pieces.valueStream()
                .filter(p -> p.path("note").asString().equals("replica"))
                .toList()
                .getLast();
        shell.run("close m");
        Path file =
                copy.resolve("input/iter_0000010").resolve(replica.path("file").asString());
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(replica.path("byte_offset").asLong());
            int old = bytes.read();
            bytes.seek(replica.path("byte_offset").asLong());
            bytes.write(old ^ 1);
        }
        shell.run("open " + copy.resolve("input") + " --as m");
        Transcript.Result validated = shell.run("validate m --data");
        assertEquals(Status.DIFFERENT, validated.status());
        assertTrue(validated.out().contains("K3008"), validated.out());
    }

    @Test
    void aRibbonShowsBoundariesAndPaddingOfEachRank() {
        open("deepspeed/zero2_bf16_w3_tied/input");
        String ribbon = out("shards m --ribbon");
        assertTrue(ribbon.startsWith("""
            m  DeepSpeed ZeRO-2, 3 ranks; a cell is 58 elements, / padding, > goes on in the next rank
            group 0: 2,748 elements a rank
              rank 0 |AAAAAAAAAAAAAAAAAAAAA|BBBBBBB|C|DDD|E|FFF|G|HHHHHHH|IIIII>
              rank 1 >IIIIIIII|JJJJJJJJJJJJJ|KKKKKKKKKKKKK|L|M|NNNNNNN|O|PPP|Q|RRR>
              rank 2 >R|S|TTTTTTT|UUUUUUUUUUUUU|VVVVVVVVVVVVV|WWWWWWWWWWWWW|X|Y|Z|/|
            """), ribbon);
        assertTrue(ribbon.lines().takeWhile(l -> !l.contains("parameter  ")).allMatch(l -> l.length() <= 100), ribbon);
        JsonNode json = JsonMapper.shared().readTree(out("shards m --ribbon --format json"));
        JsonNode last = json.path("buffers").path(2);
        assertEquals(2748, last.path("elements").asLong());
        assertEquals(2744, last.path("stored_elements").asLong());
        assertEquals(4, last.path("padding").asLong());
        assertEquals(
                452,
                json.path("buffers").path(1).path("spans").path(0).path("count").asLong());
    }

    @Test
    void aRibbonOfStage3ShowsThePaddingBehindEachParameter() {
        open("deepspeed/zero3_fp32_w3_buffer/input");
        String ribbon = out("shards m --ribbon");
        assertTrue(ribbon.contains("  rank 2 |AAAAAAA/|BB/|C/|D/|"), ribbon);
    }

    @Test
    void whatHasNoFlatBuffersSaysHowToDrawIt() {
        open("megatron/verl_qwen2_tp2_pp2/input");
        Transcript.Result refused = shell.run("shards m --ribbon");
        assertEquals(Status.USAGE, refused.status());
        assertTrue(refused.err().contains("try: draw one tensor: placements m TENSOR --draw"), refused.err());
    }
}
