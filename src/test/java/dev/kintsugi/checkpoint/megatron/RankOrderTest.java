package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.sharding.DeviceMesh;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The places of ranks, against Megatron's own enumeration: nested loops, the innermost dim first.
class RankOrderTest {
    private static TrainingArgs args(long tp, long pp, long ep, long etp, long world) {
        return new TrainingArgs(
                Map.of(
                        "tensor_model_parallel_size", tp,
                        "pipeline_model_parallel_size", pp,
                        "expert_model_parallel_size", ep,
                        "expert_tensor_parallel_size", etp,
                        "world_size", world),
                Map.of());
    }

    private static int at(DeviceMesh mesh, int rank, String dim) {
        return mesh.coordinate(rank).orElseThrow()[mesh.dimNames().indexOf(dim)];
    }

    @Test
    void everyRankStandsWhereMegatronsLoopsPutIt() {
        for (int tp : List.of(1, 2, 4)) {
            for (int pp : List.of(1, 3)) {
                for (int ep : List.of(1, 2, 4)) {
                    for (int etp : List.of(1, 2, 4)) {
                        for (int copies : List.of(1, 2)) {
                            checked(tp, pp, ep, ep == 1 ? tp : etp, copies);
                        }
                    }
                }
            }
        }
    }

    private static void checked(int tp, int pp, int ep, int etp, int copies) {
        int stage = Math.max(tp, ep * etp) * copies;
        int world = stage * pp;
        String what = "tp " + tp + ", pp " + pp + ", ep " + ep + ", etp " + etp + ", world " + world;
        DeviceMesh mesh = RankOrder.of(args(tp, pp, ep, etp, world), 0)
                .orElseThrow()
                .mesh()
                .orElseThrow();
        assertEquals(world, mesh.size(), what);
        int rank = 0;
        for (int p = 0; p < pp; p++) {
            for (int d = 0; d < stage / tp; d++) {
                for (int t = 0; t < tp; t++, rank++) {
                    assertEquals(p, at(mesh, rank, "pp"), what);
                    assertEquals(t, at(mesh, rank, "tp"), what);
                    if (ep == 1) {
                        assertEquals(d, at(mesh, rank, "dp"), what);
                    }
                }
            }
        }
        rank = 0;
        for (int p = 0; p < pp && ep > 1; p++) {
            for (int d = 0; d < stage / (ep * etp); d++) {
                for (int e = 0; e < ep; e++) {
                    for (int t = 0; t < etp; t++, rank++) {
                        assertEquals(e, at(mesh, rank, "ep"), what);
                        if (etp <= tp) {
                            assertEquals(d, at(mesh, rank, "dp"), what);
                        }
                    }
                }
            }
        }
        assertEquals(etp == tp || ep == 1, mesh.holes().isEmpty(), what);
    }

    @Test
    void ranksThatWroteNothingStandThereToo() {
        DeviceMesh mesh =
                RankOrder.of(args(2, 2, 1, 2, 1), 4).orElseThrow().mesh().orElseThrow();
        assertEquals("pp=2 × dp=2 × tp=2", mesh.toString());
        assertEquals(8, mesh.size());
    }

    @Test
    void stagesAreInnerIfTheJobSaysSo() {
        TrainingArgs args = new TrainingArgs(args(2, 2, 1, 2, 8).numbers(), Map.of("use_tp_pp_dp_mapping", true));
        DeviceMesh mesh = RankOrder.of(args, 7).orElseThrow().mesh().orElseThrow();
        assertEquals("[0, 1, 4, 5, 2, 3, 6, 7]", Arrays.toString(mesh.ranks()));
    }

    @Test
    void nothingIsSaidWhereNothingIsKnownOrTheNumbersAreAbsurd() {
        assertTrue(RankOrder.of(TrainingArgs.UNKNOWN, 3).isEmpty());
        assertTrue(RankOrder.of(args(1_000_000_007, 1_000_000_007, 1, 1, 4), 3).isEmpty());
        assertTrue(RankOrder.of(args(4096, 1, 4095, 4093, 4), 3)
                .flatMap(RankOrder::mesh)
                .isEmpty());
    }
}
