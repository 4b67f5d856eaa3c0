package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is left out because ranks are missing is drawn and named.
class HolesTest {
    @TempDir
    Path scratch;

    private String open(String fixture, String... without) throws IOException {
        Path copy = Broken.copy(Golden.resource(fixture), scratch.resolve("ckpt"));
        for (String name : without) {
            Files.delete(copy.resolve(name));
        }
        return "open " + copy + " --as m --allow-missing";
    }

    @Test
    void aMissingRankIsMarkedInTheMeshAndItsPartIsAHoleInTheTensor() throws IOException {
        try (Screen screen = Screen.piped()) {
            screen.done(open("fsdp/fsdp2_4/ckpt", "model_world_size_4_rank_2.pt"));
            assertEquals("""
                m  fsdp=4  (4 ranks)
                   fsdp →
                  ┌────┬────┬────┬────┐
                  │ 0  │ 1  │ 2? │ 3  │
                  └────┴────┴────┴────┘
                  ? the file of rank 2 is missing or damaged
                """, screen.done("mesh m"));
            assertEquals("""
                mesh fsdp=4
                tensor             dtype  global shape  placements      local shapes  missing
                model.norm.weight  BF16   [32]          fsdp: Shard(0)  [8] ×3              8
                """, screen.done("placements m norm.weight"));
            assertEquals("""
                model.norm.weight  BF16 [32]  fsdp: Shard(0)
                   elements 0..31 →
                   AAAAAAAABBBBBBBB????????CCCCCCCC
                   who              holds            padding
                A  rank 0           elements 0..7          0
                B  rank 1           elements 8..15         0
                C  rank 3           elements 24..31        0
                ?  rank 2, missing  elements 16..23        0
                A: Shard(0) of 32 over fsdp=4: step 8, rank 0 has elements 0..7
                B: Shard(0) of 32 over fsdp=4: step 8, rank 1 has elements 8..15
                C: Shard(0) of 32 over fsdp=4: step 8, rank 3 has elements 24..31
                ? is a hole: 8 elements of 32 are in no file that is here; copy what is missing, and open m again
                """, screen.done("placements m norm.weight --draw"));
            String explained = screen.done("explain m model.norm.weight");
            assertTrue(explained.contains("   AAAAAAAABBBBBBBB????????CCCCCCCC\n"), explained);
            assertTrue(
                    explained.contains(
                            "2     model_world_size_4_rank_2.pt              16  elements 16..23  missing\n"),
                    explained);
            assertTrue(
                    explained.contains("why rank 2, missing: Shard(0) of 32 over fsdp=4: step 8, rank 2 has"
                            + " elements 16..23\n"),
                    explained);
        }
    }

    @Test
    void aHoleIsNotReadButWhatARankHoldsIs() throws IOException {
        try (Screen screen = Screen.piped()) {
            screen.done(open("fsdp/fsdp2_4/ckpt", "model_world_size_4_rank_2.pt"));
            assertEquals(Status.CORRUPT, screen.run("show m model.norm.weight"));
            assertEquals("""
                error[K3001]: model.norm.weight of m has a hole
                  why: a missing rank holds a part of it; see: explain m model.norm.weight
                  try: look at what one rank holds with --rank 0, or copy the missing rank and open again
                """, screen.err());
            assertTrue(screen.done("show m model.norm.weight --rank 1").startsWith("model.norm.weight  BF16 [8]"));
            assertEquals(Status.CORRUPT, screen.run("stats m"));
            assertEquals("""
                error[K3001]: no tensor of m that is whole matches **
                  why: 27 tensors of it have holes where ranks 2 are missing
                  try: see what is there with: placements m, or look at a rank, as in: tensors m@0
                """, screen.err());
        }
    }

    @Test
    void aMissingReplicaIsNamedAndLeavesNoHole() throws IOException {
        try (Screen screen = Screen.piped()) {
            screen.done(open("fsdp/hsdp_2x2/ckpt", "model_world_size_4_rank_2.pt"));
            String drawn = screen.done("placements m norm.weight --draw");
            assertTrue(drawn.contains("A  rank 2, missing  elements 0..23 "), drawn);
            assertTrue(!drawn.contains("?"), drawn);
            assertTrue(screen.done("mesh m").contains("ddp=1 │ 2? │ 3  │"));
        }
    }

    @Test
    void flatBuffersOfAMissingRankAreHolesToo() throws IOException {
        try (Screen screen = Screen.piped()) {
            screen.done(open(
                    "deepspeed/zero2_bf16_w3_tied/input",
                    "global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"));
            String explained = screen.done("explain m layers.0.mlp.gate_proj.weight");
            assertTrue(explained.contains("??????"), explained);
            assertTrue(
                    explained.contains("why rank 1, missing: laid out flat, 740 elements over dp=3: rank 1 has"
                            + " elements 288..739"),
                    explained);
            assertTrue(explained.contains("? is a hole: 452 elements of 740"), explained);
        }
    }

    /// Every cell that a missing rank should hold is a hole, and no other is.
    @Test
    void holesAreWhereMissingRanksWouldBe() throws IOException {
        try (Screen whole = Screen.piped();
                Screen screen = Screen.piped()) {
            whole.done("open " + Golden.resource("fsdp/dp_tp_uneven_4x2/ckpt") + " --as m");
            screen.done(
                    open("fsdp/dp_tp_uneven_4x2/ckpt", "model_world_size_8_rank_3.pt", "model_world_size_8_rank_6.pt"));
            Model m = screen.shellModel("m");
            List<String> names = List.copyOf(NamedTensor.holes(m).keySet());
            assertTrue(!names.isEmpty());
            for (String name : names) {
                var before = whole.shellModel("m")
                        .checkpoint()
                        .orElseThrow()
                        .layouts()
                        .get(name);
                var after = NamedTensor.of(m, name).layout().orElseThrow();
                long lost = before.pieces().stream()
                        .filter(p -> p.rank() == 3 || p.rank() == 6)
                        .mapToLong(p -> p.global().elementCount())
                        .sum();
                assertEquals(lost, after.missingElements(), name);
                assertEquals(
                        before.pieces().stream()
                                .filter(p -> p.rank() == 3 || p.rank() == 6)
                                .map(p -> p.rank() + " " + p.global())
                                .toList(),
                        after.absent().stream()
                                .map(a -> a.rank() + " " + a.region())
                                .toList(),
                        name);
            }
        }
    }
}
