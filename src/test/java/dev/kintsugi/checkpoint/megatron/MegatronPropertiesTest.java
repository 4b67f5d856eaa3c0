package dev.kintsugi.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.megatron.LegacyWriter.Experts;
import dev.kintsugi.checkpoint.megatron.OptimizerWriter.Grouping;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.io.TempDir;

/// Random models in random layouts, written by the test's own writers, come back bit for bit.
class MegatronPropertiesTest {
    @TempDir
    Path directory;

    private static void assertHolds(RandomModel model, Path path, String what) {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(path), OpenOptions.defaults(), Job.quiet())) {
            assertEquals(
                    model.tensors.keySet().stream().sorted().toList(),
                    checkpoint.tensors().names().stream().sorted().toList(),
                    what);
            for (Map.Entry<String, Matrix> expected : model.tensors.entrySet()) {
                Tensor tensor = checkpoint.tensors().tensor(expected.getKey());
                assertIs(expected.getValue(), tensor, what + " " + expected.getKey());
            }
        }
    }

    private static void assertIs(Matrix expected, Tensor tensor, String what) {
        long[] dims = Arrays.stream(expected.shape()).asLongStream().toArray();
        assertEquals(new TensorSpec(DType.BF16, Shape.of(dims)), tensor.spec(), what);
        ByteBuffer bytes = ByteBuffer.allocate(expected.elements().length * 2).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asShortBuffer().put(expected.elements());
        assertArrayEquals(bytes.array(), Golden.bytes(tensor, 1 << 16), what);
        assertArrayEquals(bytes.array(), Golden.bytes(tensor, 3), what);
    }

    /// The writers' optimizers hold each weight as its `exp_avg`.
    private static void assertOptimizerHolds(RandomModel model, Path path, List<String> states, String what) {
        try (OptimizerCheckpoint optimizer = Checkpoints.openOptimizer(
                        List.of(path), OpenOptions.defaults(), Job.quiet())
                .orElseThrow()) {
            StateDict tensors = optimizer.state().tensors();
            assertEquals(
                    model.tensors.keySet().stream()
                            .flatMap(n -> states.stream().map(s -> n + "." + s))
                            .sorted()
                            .toList(),
                    tensors.names().stream().sorted().toList(),
                    what);
            model.tensors.forEach((name, matrix) -> {
                assertIs(matrix, tensors.tensor(name + ".exp_avg"), what + " " + name);
                if (states.contains("fp32") && !states.contains("step")) {
                    assertIs(matrix, tensors.tensor(name + ".fp32"), what + " " + name);
                }
                if (states.contains("step")) {
                    assertIsWidened(matrix, tensors.tensor(name + ".fp32"), what + " " + name);
                    assertArrayEquals(
                            new byte[] {0x40, 0x40}, Golden.bytes(tensors.tensor(name + ".step"), 1), what + name);
                }
            });
        }
    }

    private static void assertIsWidened(Matrix expected, Tensor tensor, String what) {
        assertEquals(DType.F32, tensor.spec().dtype(), what);
        ByteBuffer bytes = ByteBuffer.wrap(Golden.bytes(tensor, 1 << 16)).order(ByteOrder.LITTLE_ENDIAN);
        for (short element : expected.elements()) {
            assertEquals((element & 0xffff) << 16, bytes.getInt(), what);
        }
        assertEquals(0, bytes.remaining(), what);
    }

    private Path sidecars(RandomModel model) throws IOException {
        Path folder = Files.createDirectories(directory.resolve("huggingface"));
        Files.writeString(folder.resolve("config.json"), model.config());
        return directory;
    }

    @RepeatedTest(60)
    void legacyGridsOfAnySizeComeBackBitForBit() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        int tp = 1 + random.nextInt(4);
        int ep = 1 + random.nextInt(3);
        int virtual = 1 + random.nextInt(2);
        int[][] stages = new int[virtual][1 + random.nextInt(3)];
        int layers = 0;
        for (int[] chunk : stages) {
            for (int stage = 0; stage < chunk.length; stage++) {
                chunk[stage] = random.nextInt(3);
                layers += chunk[stage];
            }
        }
        if (layers == 0) {
            stages[0][0] = layers = 1;
        }
        RandomModel model = new RandomModel(
                random, tp, ep, layers, random.nextBoolean(), random.nextInt(4) == 0, random.nextInt(4) == 0);
        boolean moe = model.experts > 0;
        int etp = random.nextBoolean() && tp <= ep && ep % tp == 0 ? 1 : tp;
        String what = "seed " + seed + ": " + model.modelType + " tp " + tp + " ep " + ep + " etp " + etp + " stages "
                + Arrays.deepToString(stages);
        Path step = sidecars(model).resolve("iter_0000007");
        Grouping grouping = Grouping.values()[random.nextInt(3)];
        Experts experts = Experts.values()[random.nextInt(3)];
        boolean args = etp < tp || (ep > 1 && stages[0].length > 1) || random.nextBoolean();
        what += " " + grouping + " " + experts + (args ? "" : ", no args");
        new LegacyWriter(model, moe ? ep : 1, moe ? etp : tp, stages, experts, args, grouping).write(step);
        Files.writeString(directory.resolve("latest_checkpointed_iteration.txt"), "7");
        assertHolds(model, directory, what);
        assertOptimizerHolds(model, directory, List.of("exp_avg", "fp32", "step"), what);
    }

    @RepeatedTest(60)
    void distCheckpointsOfAnyFormComeBackBitForBit() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        int tp = 1 + random.nextInt(4);
        RandomModel model = new RandomModel(
                random,
                tp,
                1 + random.nextInt(3),
                1 + random.nextInt(4),
                random.nextBoolean(),
                random.nextInt(4) == 0,
                random.nextBoolean());
        DistWriter.Form form = DistWriter.Form.values()[random.nextInt(3)];
        if (model.denseFirst && form == DistWriter.Form.STACKED) {
            form = DistWriter.Form.PER_LAYER;
        }
        String what = "seed " + seed + ": " + model.modelType + " tp " + tp + " " + form;
        Path step = sidecars(model).resolve("dist_ckpt");
        DistWriter writer = new DistWriter(model, form, random.nextBoolean() ? 1 : tp, random);
        boolean flattened = random.nextInt(3) == 0;
        if (flattened) {
            writer.addFlattenedOptimizer();
        } else {
            if (random.nextBoolean()) {
                writer.mergeLayers();
            }
            writer.addOptimizer(random.nextBoolean());
        }
        writer.write(step);
        assertHolds(model, directory, what);
        assertOptimizerHolds(model, directory, flattened ? List.of("exp_avg", "fp32") : List.of("exp_avg"), what);
    }
}
