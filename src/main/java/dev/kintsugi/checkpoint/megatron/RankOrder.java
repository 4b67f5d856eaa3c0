package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Limit;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// How the ranks of a job stand, as Megatron numbers them: tensor-parallel ranks are neighbours, then come expert- and
/// data-parallel ones, and stages lie far apart.
///
/// Experts are spread over the ranks of a stage in an order of their own: `etp` neighbours share an expert's matrices,
/// `ep`
/// of those groups all experts. With as many expert- as tensor-parallel ranks (`etp` = `tp`) both orders make one grid;
/// else not every cell of it has a rank. Context-parallel ranks hold the same weights and count as data-parallel.
///
/// **Source.** `megatron/core/parallel_state.py`, `RankGenerator` with the order `tp-cp-ep-dp-pp`, or `tp-cp-ep-pp-dp`
/// with `--use-tp-pp-dp-mapping`.
///
/// @param dp ranks that share a stage and a tensor-parallel rank
record RankOrder(long tp, long pp, long dp, long ep, long etp, boolean stagesInner) {
    /// The order of a job with `args`, of which the ranks up to `highest` wrote files; nothing where the arguments do
    /// not
    /// say it, or deny themselves.
    static Optional<RankOrder> of(TrainingArgs args, int highest) {
        if (args.tensorParallel().isEmpty() && args.pipelineParallel().isEmpty()) {
            return Optional.empty();
        }
        long tp = args.tensorParallel().orElse(1L);
        long pp = args.pipelineParallel().orElse(1L);
        long ep = args.expertParallel().orElse(1L);
        long etp = ep == 1 ? tp : args.number("expert_tensor_parallel_size").orElse(tp);
        long most = Limit.RANKS.value();
        if (tp > most || pp > most || ep > most || etp > most || tp * pp > most || ep * etp > most) {
            return Optional.empty();
        }
        long unit = pp * leastCommonMultiple(tp, ep * etp);
        long world = args.number("world_size")
                .filter(w -> w > highest && w % unit == 0)
                .orElse(Math.ceilDiv(highest + 1L, unit) * unit);
        boolean stagesInner = args.flag("use_tp_pp_dp_mapping").orElse(false);
        long context = args.number("context_parallel_size").orElse(1L);
        if (world > most || stagesInner && (context > 1 || ep > 1 && ep * etp != tp)) {
            return Optional.empty();
        }
        return Optional.of(new RankOrder(tp, pp, world / (tp * pp), ep, etp, stagesInner));
    }

    private static long leastCommonMultiple(long a, long b) {
        long x = a;
        long y = b;
        while (y != 0) {
            long rest = x % y;
            x = y;
            y = rest;
        }
        return a / x * b;
    }

    /// The grid `pp × dp × ep × tp`, without `ep` where experts are not spread.
    ///
    /// `dp` counts groups of ranks that hold all experts together, where an expert's ranks are not more than the
    /// tensor-parallel ones.
    Optional<DeviceMesh> mesh() {
        boolean byExperts = tp % etp == 0;
        long groups = byExperts ? tp * dp / (etp * ep) : dp;
        boolean spread = ep > 1;
        Shape shape = spread ? Shape.of(pp, groups, ep, tp) : Shape.of(pp, dp, tp);
        if (shape.elementCount() > Limit.RANKS.value()) {
            return Optional.empty();
        }
        int[] ranks = new int[Math.toIntExact(shape.elementCount())];
        Arrays.fill(ranks, DeviceMesh.NO_RANK);
        long world = tp * pp * dp;
        for (int rank = 0; rank < world; rank++) {
            long stage = stagesInner ? rank / tp % pp : rank / (tp * dp);
            long copy = stagesInner ? rank / (tp * pp) : rank / tp % dp;
            // Within its stage, which is a block of neighbours unless stages are the inner axis.
            long place = copy * tp + rank % tp;
            long expert = place / etp % ep;
            long group = byExperts ? place / (etp * ep) : copy;
            long cell = spread
                    ? ((stage * groups + group) * ep + expert) * tp + rank % tp
                    : (stage * dp + copy) * tp + rank % tp;
            ranks[Math.toIntExact(cell)] = rank;
        }
        List<String> dims = spread ? List.of("pp", "dp", "ep", "tp") : List.of("pp", "dp", "tp");
        return Optional.of(DeviceMesh.of(dims, shape, ranks));
    }
}
