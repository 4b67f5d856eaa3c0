package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.OptimizerWriter.Grouping;
import dev.kintsugi.checkpoint.megatron.RandomModel.Piece;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Built;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Global;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Values;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Writes `mp_rank_*` directories as `megatron/training/checkpointing.py` does: every rank of the job in turn
/// decides what it holds and whether it writes.
///
/// @param layersPerStage layers of pipeline stage `p` in virtual stage `v`, as `[v][p]`
/// @param grouping how the optimizer groups its parameters
@SuppressWarnings("ArrayRecordComponent")
record LegacyWriter(
        RandomModel model,
        int ep,
        int etp,
        int[][] layersPerStage,
        Experts grouped,
        boolean hasArgs,
        Grouping grouping) {
    /// How a rank keeps its experts.
    enum Experts {
        /// A module each.
        LOCAL,
        /// A numbered weight each.
        NUMBERED,
        /// All in one matrix, each transposed.
        ONE_MATRIX
    }

    private static final Pattern EXPERT = Pattern.compile("mlp\\.experts\\.experts\\.(\\d+)\\.(.*)\\.weight");

    void write(Path directory) throws IOException {
        int tp = model.tp;
        int pp = layersPerStage[0].length;
        int inStage = tp;
        while (inStage % (ep * etp) != 0) {
            inStage += tp;
        }
        for (int stage = 0; stage < pp; stage++) {
            for (int rank = 0; rank < inStage; rank++) {
                int expertRank = rank / etp % ep;
                boolean writes = rank < tp || rank / (etp * ep) == 0;
                if (writes) {
                    String name = String.format(Locale.ROOT, "mp_rank_%02d", rank % tp)
                            + (pp > 1 ? String.format(Locale.ROOT, "_%03d", stage) : "")
                            + (ep > 1 ? String.format(Locale.ROOT, "_%03d", expertRank) : "");
                    Path folder = Files.createDirectories(directory.resolve(name));
                    Files.write(
                            folder.resolve("model_optim_rng.pt"),
                            TorchWriter.save(root(stage, rank % tp, rank % etp, expertRank)));
                }
            }
        }
    }

    private Map<String, Object> root(int stage, int tpRank, int etpRank, int epRank) {
        Map<String, Object> args = new LinkedHashMap<>();
        args.put("tensor_model_parallel_size", model.tp);
        args.put("pipeline_model_parallel_size", layersPerStage[0].length);
        args.put("expert_model_parallel_size", ep);
        args.put("expert_tensor_parallel_size", etp);
        args.put("padded_vocab_size", model.paddedWords);
        args.put("num_experts", model.experts == 0 ? null : model.experts);
        args.put("untie_embeddings_and_output_weights", !model.tied);
        args.put("swiglu", true);
        Map<String, Object> root = new LinkedHashMap<>();
        if (hasArgs) {
            root.put("args", new Built(new Global("argparse", "Namespace"), args));
        }
        root.put("checkpoint_version", 3.0);
        root.put("iteration", 7);
        int virtual = layersPerStage.length;
        for (int chunk = 0; chunk < virtual; chunk++) {
            root.put(virtual == 1 ? "model" : "model" + chunk, chunk(chunk, stage, tpRank, etpRank, epRank));
        }
        List<Map<String, Object>> chunks = new ArrayList<>();
        for (int chunk = 0; chunk < virtual; chunk++) {
            chunks.add(chunk(chunk, stage, tpRank, etpRank, epRank));
        }
        root.put("optimizer", new OptimizerWriter(ep > 1, grouping).of(chunks));
        root.put("rng_state", null);
        return root;
    }

    private Map<String, Object> chunk(int chunk, int stage, int tpRank, int etpRank, int epRank) {
        Map<String, Object> state = new LinkedHashMap<>();
        int first = 0;
        for (int v = 0; v < layersPerStage.length; v++) {
            for (int p = 0; p < layersPerStage[v].length; p++) {
                if (v < chunk || (v == chunk && p < stage)) {
                    first += layersPerStage[v][p];
                }
            }
        }
        boolean firstStage = chunk == 0 && stage == 0;
        boolean lastStage = chunk == layersPerStage.length - 1 && stage == layersPerStage[0].length - 1;
        for (Piece piece : model.outside) {
            boolean embedding = piece.name().startsWith("embedding");
            boolean tiedCopy = model.tied && piece.name().startsWith("output_layer");
            boolean here = embedding ? firstStage : lastStage && !(tiedCopy && firstStage);
            if (here) {
                put(state, piece.name(), piece, tpRank, model.tp);
            }
        }
        for (int local = 0; local < layersPerStage[chunk][stage]; local++) {
            String prefix = "decoder.layers." + local + ".";
            state.put(prefix + "self_attention._extra_state", null);
            Map<String, List<Matrix>> transposed = new LinkedHashMap<>();
            for (Piece piece : model.inLayers.get(first + local)) {
                Matcher expert = EXPERT.matcher(piece.name());
                if (!expert.matches()) {
                    put(state, prefix + piece.name(), piece, tpRank, model.tp);
                    continue;
                }
                int number = Integer.parseInt(expert.group(1));
                int perRank = model.experts / ep;
                if (number / perRank == epRank && grouped == Experts.ONE_MATRIX) {
                    transposed
                            .computeIfAbsent(expert.group(2), n -> new ArrayList<>())
                            .add(piece.local(etpRank, etp).transposed());
                } else if (number / perRank == epRank) {
                    String name = grouped == Experts.NUMBERED
                            ? "mlp.experts." + expert.group(2) + ".weight" + number % perRank
                            : "mlp.experts.local_experts." + number % perRank + "." + expert.group(2) + ".weight";
                    put(state, prefix + name, piece, etpRank, etp);
                }
            }
            transposed.forEach((name, matrices) -> {
                Matrix all = Matrix.below(matrices.toArray(Matrix[]::new));
                boolean first1 = name.equals("linear_fc1");
                int hidden = first1
                        ? matrices.getFirst().rows()
                        : matrices.getFirst().columns();
                int others = all.elements().length / hidden;
                Matrix shaped = first1 ? all.shaped(hidden, others) : all.shaped(others, hidden);
                state.put(
                        prefix + "mlp.experts." + (first1 ? "weight1" : "weight2"),
                        new Values(shaped.shape(), shaped.elements()));
            });
        }
        return state;
    }

    private static void put(Map<String, Object> state, String name, Piece piece, int rank, int ways) {
        Matrix local = piece.local(rank, ways);
        state.put(name, new Values(local.shape(), local.elements()));
    }
}
