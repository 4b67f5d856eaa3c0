package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.TorchWriter;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.work.Job;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Random models saved over random ranks and stages by a writer of the test's own, opened and compared bit
/// for bit.
class DeepSpeedPropertiesTest {
    @TempDir
    Path scratch;

    /// Shapes by group, frozen parameters, one buffer, one second name; and F32 bytes of all states of all
    /// parameters.
    private static final class Model {
        final List<Map<String, List<Long>>> groups = new ArrayList<>();
        final Map<String, List<Long>> frozen = new LinkedHashMap<>();
        final Map<String, byte[]> bytes = new LinkedHashMap<>();
        final List<String> states = List.of("fp32", "exp_avg", "exp_avg_sq");

        Model(Random random) {
            int name = 0;
            for (int group = 0; group <= random.nextInt(3); group++) {
                Map<String, List<Long>> shapes = new LinkedHashMap<>();
                for (int i = random.nextInt(4); i >= 0; i--) {
                    List<Long> shape = shape(random);
                    shapes.put("layers." + name, shape);
                    for (String state : states) {
                        bytes.put("layers." + name + "." + state, bytes(random, 4 * count(shape)));
                    }
                    name++;
                }
                groups.add(shapes);
            }
            for (int i = random.nextInt(3); i > 0; i--) {
                frozen.put("frozen." + i, shape(random));
                bytes.put("frozen." + i, bytes(random, 2 * count(frozen.get("frozen." + i))));
            }
            bytes.put("rope.inv_freq", bytes(random, 2 * 3));
        }

        private static List<Long> shape(Random random) {
            List<Long> shape = new ArrayList<>();
            for (int dim = random.nextInt(4); dim > 0; dim--) {
                shape.add((long) 1 + random.nextInt(6));
            }
            return shape;
        }

        static int count(List<Long> shape) {
            return (int) shape.stream().mapToLong(Long::longValue).reduce(1, (a, b) -> a * b);
        }

        private static byte[] bytes(Random random, int count) {
            byte[] bytes = new byte[count];
            random.nextBytes(bytes);
            for (int i = 1; i < count; i += 2) {
                bytes[i] &= 0x3F; // no NaN in BF16: its payload may change where it is widened
            }
            return bytes;
        }

        String first() {
            return groups.getFirst().keySet().iterator().next();
        }
    }

    private static byte[] concat(List<byte[]> parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        parts.forEach(out::writeBytes);
        return out.toByteArray();
    }

    /// `bytes` with at least `length` bytes, the new ones not zero.
    private static byte[] padded(byte[] bytes, int length) {
        byte[] padded = Arrays.copyOf(bytes, Math.max(length, bytes.length));
        Arrays.fill(padded, bytes.length, padded.length, (byte) 0x11);
        return padded;
    }

    private static TorchWriter.Tensor flat(byte[] bytes, int elements, DType dtype) {
        return new TorchWriter.Tensor(dtype, List.of((long) elements), bytes, 0);
    }

    /// Per flat buffer of `rank`: the bytes of `state`.
    private static List<byte[]> stage2(Model model, String state, int rank, int world) {
        List<byte[]> flats = new ArrayList<>();
        for (Map<String, List<Long>> group : model.groups) {
            byte[] all = concat(group.keySet().stream()
                    .map(n -> model.bytes.get(n + "." + state))
                    .toList());
            int unit = 4 * 2 * world;
            byte[] aligned = padded(all, (all.length + unit - 1) / unit * unit);
            int length = aligned.length / world;
            flats.add(Arrays.copyOfRange(aligned, rank * length, (rank + 1) * length));
        }
        return flats;
    }

    private static List<byte[]> stage3(Model model, String state, int rank, int world) {
        List<byte[]> flats = new ArrayList<>();
        for (Map<String, List<Long>> group : model.groups) {
            List<byte[]> pieces = new ArrayList<>();
            group.keySet().forEach(n -> pieces.add(piece(model.bytes.get(n + "." + state), 4, rank, world)));
            flats.add(concat(pieces));
        }
        return flats;
    }

    private static byte[] piece(byte[] bytes, int width, int rank, int world) {
        int per = (bytes.length / width + world - 1) / world * width;
        return Arrays.copyOfRange(padded(bytes, per * world), rank * per, (rank + 1) * per);
    }

    private static Map<String, Object> optimizer(Model model, int stage, int rank, int world, Random style) {
        boolean split = stage == 3;
        Map<String, List<byte[]>> states = new LinkedHashMap<>();
        model.states.forEach(s -> states.put(s, split ? stage3(model, s, rank, world) : stage2(model, s, rank, world)));
        List<Object> masters = new ArrayList<>();
        Map<Object, Object> base = new LinkedHashMap<>();
        List<Object> counts = new ArrayList<>();
        for (int index = 0; index < model.groups.size(); index++) {
            byte[] master = states.get("fp32").get(index);
            int elements = master.length / 4;
            int padding = 0;
            if (!split && rank == world - 1) {
                int count = model.groups.get(index).values().stream()
                        .mapToInt(Model::count)
                        .sum();
                padding = Math.min(elements, elements * world - count);
            }
            masters.add(flat(master, elements - padding, DType.F32));
            base.put(
                    index,
                    Map.of(
                            "step",
                            new TorchWriter.Tensor(DType.F32, List.of(), new byte[] {0, 0, 64, 64}, 0),
                            "exp_avg",
                            flat(states.get("exp_avg").get(index), elements, DType.F32),
                            "exp_avg_sq",
                            flat(states.get("exp_avg_sq").get(index), elements, DType.F32)));
            counts.add(world);
        }
        Map<String, Object> dict = new LinkedHashMap<>();
        if (stage > 1 || style.nextBoolean()) {
            dict.put("zero_stage", stage);
        }
        dict.put("partition_count", split || style.nextBoolean() ? (Object) world : counts);
        dict.put(split ? "fp32_flat_groups" : "single_partition_of_fp32_groups", masters);
        dict.put(split ? "optimizer_state_dict" : "base_optimizer_state", Map.of("state", base));
        return Map.of("optimizer_state_dict", dict);
    }

    private static Map<String, Object> modelStates(Model model, int stage, int rank, int world, boolean knowsShared) {
        Map<String, Object> module = new LinkedHashMap<>();
        Map<String, TorchWriter.Size> frozenShapes = new LinkedHashMap<>();
        Map<String, Object> fragments = new LinkedHashMap<>();
        model.groups.forEach(group -> group.forEach((name, shape) -> module.put(
                name,
                stage == 3
                        ? flat(new byte[0], 0, DType.BF16)
                        : new TorchWriter.Tensor(DType.BF16, shape, new byte[2 * Model.count(shape)], 0))));
        module.put("second.name", module.get(model.first()));
        model.frozen.forEach((name, shape) -> {
            byte[] bytes = model.bytes.get(name);
            module.put(
                    name,
                    stage == 3
                            ? flat(new byte[0], 0, DType.BF16)
                            : new TorchWriter.Tensor(DType.BF16, shape, bytes, 0));
            if (stage > 1) {
                frozenShapes.put(name, new TorchWriter.Size(shape));
                byte[] piece = piece(bytes, 2, rank, world);
                fragments.put(
                        name,
                        stage == 3
                                ? flat(piece, piece.length / 2, DType.BF16)
                                : new TorchWriter.Tensor(DType.BF16, shape, bytes, 0));
            }
        });
        module.put("rope.inv_freq", flat(model.bytes.get("rope.inv_freq"), 3, DType.BF16));
        List<Object> paramShapes = new ArrayList<>();
        for (Map<String, List<Long>> group : model.groups) {
            Map<String, Object> sizes = new LinkedHashMap<>();
            group.forEach((name, shape) -> sizes.put(name, new TorchWriter.Size(shape)));
            paramShapes.add(sizes);
        }
        Map<String, Object> dict = new LinkedHashMap<>();
        dict.put("module", module);
        dict.put("buffer_names", List.of("rope.inv_freq"));
        dict.put("param_shapes", paramShapes);
        dict.put("frozen_param_shapes", stage > 1 ? frozenShapes : TorchWriter.NONE);
        dict.put("frozen_param_fragments", stage > 1 ? fragments : TorchWriter.NONE);
        if (knowsShared) {
            dict.put("shared_params", Map.of("second.name", model.first()));
        }
        dict.put("dp_world_size", world);
        dict.put("global_steps", 3);
        return dict;
    }

    private static void save(Path tag, Model model, int stage, int world, Random style) throws IOException {
        Files.createDirectories(tag);
        boolean knowsShared = stage == 3 || style.nextBoolean();
        for (int rank = 0; rank < world; rank++) {
            TorchWriter.write(
                    tag.resolve("bf16_zero_pp_rank_" + rank + "_mp_rank_00_optim_states.pt"),
                    optimizer(model, stage, rank, world, new Random(model.bytes.size())));
            if (stage == 3) {
                TorchWriter.write(
                        tag.resolve("zero_pp_rank_" + rank + "_mp_rank_00_model_states.pt"),
                        modelStates(model, stage, rank, world, knowsShared));
            }
        }
        if (stage < 3) {
            TorchWriter.write(
                    tag.resolve("mp_rank_00_model_states.pt"), modelStates(model, stage, 0, world, knowsShared));
        }
    }

    /// What the model is: masters, and F32 of what is in BF16.
    private static TreeMap<String, byte[]> expected(Model model) {
        TreeMap<String, byte[]> expected = new TreeMap<>();
        model.groups.forEach(group -> group.keySet().forEach(n -> expected.put(n, model.bytes.get(n + ".fp32"))));
        expected.put("second.name", model.bytes.get(model.first() + ".fp32"));
        model.frozen.keySet().forEach(n -> expected.put(n, widened(model.bytes.get(n))));
        expected.put("rope.inv_freq", widened(model.bytes.get("rope.inv_freq")));
        return expected;
    }

    private static byte[] widened(byte[] narrow) {
        byte[] wide = new byte[2 * narrow.length];
        for (int i = 0; i < narrow.length; i += 2) {
            wide[2 * i + 2] = narrow[i];
            wide[2 * i + 3] = narrow[i + 1];
        }
        return wide;
    }

    private static void assertHolds(TreeMap<String, byte[]> expected, StateDict found, String what) {
        assertEquals(expected.keySet(), new TreeSet<>(found.names()), what);
        expected.forEach((name, bytes) -> {
            assertEquals(DType.F32, found.tensor(name).spec().dtype(), what + ", " + name);
            assertArrayEquals(bytes, Golden.bytes(found.tensor(name), 11), what + ", " + name);
        });
    }

    private static void assertComesBack(Path tag, Model model, String what) {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(tag), OpenOptions.defaults(), Job.quiet())) {
            assertHolds(expected(model), checkpoint.tensors(), what);
        }
        TreeMap<String, byte[]> states = new TreeMap<>();
        model.groups.forEach(group -> group.keySet().forEach(n -> {
            model.states.forEach(s -> states.put(n + "." + s, model.bytes.get(n + "." + s)));
            states.put(n + ".step", new byte[] {0, 0, 64, 64});
        }));
        try (OptimizerCheckpoint optimizer = Checkpoints.openOptimizer(
                        List.of(tag), OpenOptions.defaults(), Job.quiet())
                .orElseThrow()) {
            assertHolds(states, optimizer.state().tensors(), what);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void randomModelsComeBackFromEveryStage(long seed) throws IOException {
        Random random = new Random(seed);
        for (int round = 0; round < 4; round++) {
            int stage = 1 + random.nextInt(3);
            int world = 1 + random.nextInt(12);
            Model model = new Model(random);
            Path tag = scratch.resolve("global_step" + round);
            save(tag, model, stage, world, random);
            assertComesBack(tag, model, "seed " + seed + ", round " + round + ", stage " + stage + " on " + world);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void universalCheckpointsOfEveryStageComeBack(long seed) throws IOException {
        Random random = new Random(seed);
        for (int round = 0; round < 4; round++) {
            int stage = 1 + random.nextInt(3);
            int world = 1 + random.nextInt(6);
            Model model = new Model(random);
            Path tag = scratch.resolve("global_step" + round + "_universal");
            save(tag, model, stage, world, random);
            for (int rank = 0; rank < world; rank++) {
                Files.delete(tag.resolve("bf16_zero_pp_rank_" + rank + "_mp_rank_00_optim_states.pt"));
            }
            for (Map<String, List<Long>> group : model.groups) {
                for (Map.Entry<String, List<Long>> parameter : group.entrySet()) {
                    universal(tag, model, parameter.getKey(), parameter.getValue(), stage, world, random);
                }
            }
            assertComesBack(tag, model, "seed " + seed + ", round " + round + ", stage " + stage + " on " + world);
        }
    }

    /// Stage 3 gives a bare 1-D tensor, which may be padded for ranks beyond the parameter's end.
    private static void universal(
            Path tag, Model model, String name, List<Long> shape, int stage, int world, Random random)
            throws IOException {
        Path directory = Files.createDirectories(tag.resolve("zero").resolve(name));
        int count = Model.count(shape);
        for (String state : model.states) {
            byte[] bytes = model.bytes.get(name + "." + state);
            int length = stage == 3 && random.nextBoolean() ? (count + world - 1) / world * world : count;
            Object tensor = stage == 3
                    ? flat(padded(bytes, 4 * length), length, DType.F32)
                    : Map.of("cat_dim", 0, "param", new TorchWriter.Tensor(DType.F32, shape, bytes, 0));
            TorchWriter.write(directory.resolve(state + ".pt"), tensor);
        }
        TorchWriter.write(
                directory.resolve("step.pt"),
                new TorchWriter.Tensor(DType.F32, List.of(), new byte[] {0, 0, 64, 64}, 0));
    }

    @Test
    void ranksAreSortedAsNumbers() throws IOException {
        Random random = new Random(99);
        Model model = new Model(random);
        Path tag = scratch.resolve("global_step1");
        save(tag, model, 2, 12, random);
        try (Checkpoint checkpoint = Checkpoints.open(List.of(tag), OpenOptions.defaults(), Job.quiet())) {
            assertEquals(12, checkpoint.worldSize());
            assertHolds(expected(model), checkpoint.tensors(), "12 ranks");
        }
    }

    @Test
    void aRankBeyondTheSavedCountIsFoundOut() throws IOException {
        Random random = new Random(7);
        Model model = new Model(random);
        Path tag = scratch.resolve("global_step1");
        save(tag, model, 2, 2, random);
        Files.copy(
                tag.resolve("bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"),
                tag.resolve("bf16_zero_pp_rank_2_mp_rank_00_optim_states.pt"));
        assertEquals(Code.K3006, refused(tag).code());
    }

    @Test
    void aParameterThatIsNowhereIsRefused() throws IOException {
        Model model = new Model(new Random(5));
        Path tag = scratch.resolve("global_step1");
        save(tag, model, 3, 2, new Random(1));
        for (int rank = 0; rank < 2; rank++) {
            Map<String, Object> states = modelStates(model, 3, rank, 2, true);
            @SuppressWarnings("unchecked")
            Map<String, Object> module = (Map<String, Object>) states.get("module");
            module.put("lost.weight", flat(new byte[0], 0, DType.BF16));
            TorchWriter.write(tag.resolve("zero_pp_rank_" + rank + "_mp_rank_00_model_states.pt"), states);
        }
        Fault fault = refused(tag);
        assertEquals(Code.K3102, fault.code());
        assertTrue(fault.what().contains("lost.weight is empty"), fault.what());
    }

    @Test
    void tensorParallelFilesWithoutANumberInTheirNamesAreRefusedToo() throws IOException {
        Model model = new Model(new Random(5));
        Path tag = scratch.resolve("global_step1");
        save(tag, model, 2, 2, new Random(1));
        Map<String, Object> states = modelStates(model, 2, 0, 2, true);
        states.put("mp_world_size", 2);
        TorchWriter.write(tag.resolve("mp_rank_00_model_states.pt"), states);
        Fault fault = refused(tag);
        assertEquals(Code.K4012, fault.code());
        assertTrue(fault.what().contains("mp_world_size is 2"), fault.what());
    }

    private static Fault refused(Path tag) {
        return assertThrows(
                Fault.class,
                () -> Checkpoints.open(List.of(tag), OpenOptions.defaults(), Job.quiet())
                        .close());
    }
}
