package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jline.reader.Candidate;

/// Measures Tab, for `scripts/bench complete`.
public final class CompletionTrial {
    private CompletionTrial() {}

    /// The median over `runs` models of `names` tensors of how long the first Tab takes, which sorts the names.
    public static double seconds(int names, int runs) {
        try (Shell shell = shell()) {
            StateDict tensors = tensors(names);
            List<Double> seconds = new ArrayList<>();
            for (int i = 0; i <= runs; i++) {
                shell.session().add(new Named("m" + i, tensors));
                seconds.add(tab(shell, "tensors m" + i + " model.layers.77"));
            }
            List<Double> warm = new ArrayList<>(seconds.subList(1, seconds.size()));
            warm.sort(null);
            return warm.get(warm.size() / 2);
        }
    }

    /// The shortest of `runs` times that Tab takes behind `word` on one model of `names` tensors.
    static double shortest(int names, int runs, String word) {
        try (Shell shell = shell()) {
            shell.session().add(new Named("m", tensors(names)));
            return IntStream.range(0, runs)
                    .mapToDouble(i -> tab(shell, "tensors m " + word))
                    .min()
                    .orElseThrow();
        }
    }

    private static Shell shell() {
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        return Shell.on(new Console(nowhere, nowhere, false, false, 80));
    }

    private static double tab(Shell shell, String typed) {
        List<Candidate> candidates = new ArrayList<>();
        long start = System.nanoTime();
        Prompt.complete(shell, typed, candidates);
        double seconds = (System.nanoTime() - start) / 1e9;
        if (candidates.isEmpty()) {
            throw new IllegalStateException("nothing was proposed");
        }
        return seconds;
    }

    private static StateDict tensors(int names) {
        TensorSpec spec = new TensorSpec(DType.BF16, Shape.of(1));
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int i = 0; i < names; i++) {
            tensors.put("model.layers." + i % 1000 + ".mlp.experts." + i / 1000 + ".weight", new Zero(spec));
        }
        return StateDict.of(tensors);
    }

    private record Zero(TensorSpec spec) implements Tensor {
        @Override
        public void read(long firstElement, long elementCount, MemorySegment target) {
            target.fill((byte) 0);
        }
    }

    private record Named(String name, StateDict tensors) implements Model {
        @Override
        public String command() {
            return "";
        }

        @Override
        public HubModel hub(HubOptions options) {
            return HubModel.of(tensors, List.of(), Optional.empty(), options);
        }

        @Override
        public Optional<Checkpoint> checkpoint() {
            return Optional.empty();
        }

        @Override
        public List<Path> directories() {
            return List.of();
        }

        @Override
        public Optional<Path> sidecars() {
            return Optional.empty();
        }

        @Override
        public void checkUnchanged() {}

        @Override
        public void close() {}
    }
}
