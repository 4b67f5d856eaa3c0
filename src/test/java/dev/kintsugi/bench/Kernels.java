package dev.kintsugi.bench;

import dev.kintsugi.MemoryTensor;
import dev.kintsugi.diff.Diff;
import dev.kintsugi.diff.Tolerances;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.inspect.Statistics;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/// What one element costs, in memory, measured by JMH: `scripts/bench kernels`.
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 400, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Fork(
        value = 1,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-Xmx2g"})
public class Kernels {
    private static final int ROWS = 64;
    private static final int COLUMNS = 1 << 15;
    private static final int TENSORS = 4;
    private static final int TILE = 1024;

    /// Elements one call looks at, of each model.
    private static final int ELEMENTS = TENSORS * ROWS * COLUMNS;

    /// Models of BF16, near each other as experts are.
    @State(Scope.Benchmark)
    public static class Models {
        StateDict base = StateDict.of(Map.of());
        final List<StateDict> experts = new ArrayList<>();

        @Setup
        public void make() {
            Random random = new Random(7);
            base = model(random, 0);
            for (int i = 0; i < 3; i++) {
                experts.add(model(random, 0.01));
            }
        }

        private StateDict model(Random random, double shift) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (int i = 0; i < TENSORS; i++) {
                tensors.put(
                        "model.layers." + i + ".mlp.up_proj.weight",
                        MemoryTensor.gaussian(DType.BF16, Shape.of(ROWS, COLUMNS), shift, 0.02, random));
            }
            return StateDict.of(tensors);
        }
    }

    /// A tile in each form.
    @State(Scope.Benchmark)
    public static class Tile {
        @Param({"BF16", "F16", "F32", "F8_E4M3"})
        public DType dtype = DType.BF16;

        final double[] doubles = new Random(7).doubles(TILE, -1, 1).toArray();
        final double[] decoded = new double[TILE];
        final byte[] encoded = new byte[TILE * 4];
        final MemorySegment segment = MemorySegment.ofArray(encoded);

        @Setup
        public void encode() {
            Elements.fromDoubles(dtype, doubles, segment, TILE);
        }
    }

    /// A block as files are read.
    @State(Scope.Benchmark)
    public static class Bytes {
        static final int COUNT = 1 << 20;
        final byte[] bytes = new byte[COUNT];

        @Setup
        public void fill() {
            new Random(7).nextBytes(bytes);
        }
    }

    /// How many threads a job has.
    @State(Scope.Benchmark)
    public static class Threads {
        @Param({"1", "2"})
        public int threads = 1;
    }

    /// A method of fusion; the experts are as many as it takes.
    @State(Scope.Benchmark)
    public static class Fused {
        @Param({
            "linear",
            "slerp",
            "karcher",
            "task-arithmetic",
            "ties",
            "dare-linear",
            "della",
            "breadcrumbs",
            "model-stock",
            "sce",
            "nearswap",
            "arcee-fusion",
            "ram",
            "attention"
        })
        public String method = "linear";
    }

    @Benchmark
    @OperationsPerInvocation(TILE)
    public double[] decode(Tile tile) {
        Elements.toDoubles(tile.dtype, tile.segment, tile.decoded, TILE);
        return tile.decoded;
    }

    @Benchmark
    @OperationsPerInvocation(TILE)
    public byte[] encode(Tile tile) {
        Elements.fromDoubles(tile.dtype, tile.doubles, tile.segment, TILE);
        return tile.encoded;
    }

    @Benchmark
    @OperationsPerInvocation(Bytes.COUNT)
    public long crc32(Bytes bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes.bytes);
        return crc.getValue();
    }

    @Benchmark
    @OperationsPerInvocation(Bytes.COUNT)
    public long crc32c(Bytes bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.bytes);
        return crc.getValue();
    }

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public Object stats(Models models, Threads threads) {
        return Statistics.of(models.base, name -> true, new Job(threads.threads));
    }

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public Object diff(Models models, Threads threads) {
        return Diff.compare(
                models.base, models.experts.getFirst(), name -> true, Tolerances.EXACT, new Job(threads.threads));
    }

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public long fuse(Models models, Fused fused, Threads threads) {
        Method method = Methods.named(fused.method);
        int count = Math.min(models.experts.size(), method.mostModels());
        List<Input> inputs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            inputs.add(Input.of("e" + i, models.experts.get(i)));
        }
        Optional<Input> base =
                method.base() == Method.Base.NONE ? Optional.empty() : Optional.of(Input.of("base", models.base));
        Map<String, Setting> options = new LinkedHashMap<>();
        method.findOption("density").ifPresent(o -> options.put("density", Setting.of(0.5)));
        method.findOption("t").ifPresent(o -> options.put("t", Setting.of(0.3)));
        StateDict result = Fusion.of(method, inputs, base).withOptions(options).fuse();
        return Parallel.map(
                        new Job(threads.threads), List.copyOf(result.tensors().values()), Kernels::readWhole)
                .stream()
                .mapToLong(Long::longValue)
                .sum();
    }

    private static long readWhole(Tensor tensor) {
        MemorySegment block = MemorySegment.ofArray(new byte[1 << 20]);
        long step = (1 << 20) / tensor.spec().dtype().byteWidth();
        long count = tensor.spec().elementCount();
        for (long from = 0; from < count; from += step) {
            tensor.read(from, Math.min(step, count - from), block);
        }
        return count;
    }

    /// Runs them all; a row's ratio is nanoseconds an element.
    static List<Row> run() {
        try {
            Collection<RunResult> results = new Runner(new OptionsBuilder()
                            .include(Kernels.class.getName())
                            .verbosity(VerboseMode.SILENT)
                            .shouldFailOnError(true)
                            .build())
                    .run();
            return results.stream().map(Kernels::row).toList();
        } catch (RunnerException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Row row(RunResult result) {
        String benchmark = result.getParams().getBenchmark();
        StringBuilder name = new StringBuilder("kernel " + benchmark.substring(benchmark.lastIndexOf('.') + 1));
        for (String key : result.getParams().getParamsKeys()) {
            String value = result.getParams().getParam(key);
            name.append(
                    key.equals("threads")
                            ? (value.equals("1") ? ", 1 thread" : ", " + value + " threads")
                            : " " + value);
        }
        return new Row(
                name + ", ns each", 0, 0, 0, 0, 0, result.getPrimaryResult().getScore(), "", 0, 0);
    }
}
