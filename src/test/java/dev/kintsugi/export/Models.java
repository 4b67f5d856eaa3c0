package dev.kintsugi.export;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.safetensors.SafetensorsLayout;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/// Models to export, and what an export left.
public final class Models {
    private Models() {}

    /// A directory with `tensors` BF16 tensors of `elements` seeded values each and a few sidecars.
    public static Path write(Path directory, int tensors, int elements) throws IOException {
        Files.createDirectories(directory);
        Map<String, TensorSpec> specs = new TreeMap<>();
        for (int i = 0; i < tensors; i++) {
            specs.put(String.format("layers.%03d.weight", i), new TensorSpec(DType.BF16, Shape.of(elements)));
        }
        SafetensorsLayout layout = SafetensorsLayout.of(specs, Map.of("format", "pt"));
        Random random = new Random(7);
        try (FileChannel channel = FileChannel.open(
                directory.resolve("model.safetensors"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(layout.head()));
            byte[] bytes = new byte[2 * elements];
            for (int i = 0; i < tensors; i++) {
                random.nextBytes(bytes);
                channel.write(ByteBuffer.wrap(bytes));
            }
        }
        Files.writeString(directory.resolve("config.json"), "{}");
        Files.writeString(directory.resolve("tokenizer.json"), "{\"a\": 1}");
        return directory;
    }

    /// Exports the model in `source`, its names as they are.
    public static ExportReport export(Path source, Path target, ExportOptions options, Job job) {
        try (Checkpoint checkpoint = Checkpoints.open(List.of(source), OpenOptions.defaults(), job)) {
            return Exporter.write(plan(checkpoint, target, options), sources(checkpoint), job);
        }
    }

    static ExportPlan plan(Checkpoint checkpoint, Path target, ExportOptions options) {
        HubModel model = HubModel.of(
                checkpoint.tensors(),
                checkpoint.directories(),
                checkpoint.sidecars(),
                HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS));
        return ExportPlan.of(model, checkpoint.sidecars(), target, options);
    }

    static Exporter.Sources sources(Checkpoint checkpoint) {
        List<String> fingerprints =
                checkpoint.files().stream().map(Object::toString).toList();
        return new Exporter.Sources(checkpoint.directories(), fingerprints, checkpoint::checkUnchanged);
    }

    /// Options with files of `maxShardBytes` at most.
    public static ExportOptions options(long maxShardBytes, boolean replace, boolean resume) {
        return new ExportOptions(Optional.empty(), maxShardBytes, replace, resume, Map.of());
    }

    /// The names under `directory` and what each file holds.
    public static SortedMap<String, ByteBuffer> contents(Path directory) throws IOException {
        SortedMap<String, ByteBuffer> contents = new TreeMap<>();
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path path : all.filter(Files::isRegularFile).toList()) {
                contents.put(directory.relativize(path).toString(), ByteBuffer.wrap(Files.readAllBytes(path)));
            }
        }
        return contents;
    }

    /// The names in `directory`, hidden ones too.
    public static List<String> names(Path directory) throws IOException {
        try (Stream<Path> list = Files.list(directory)) {
            return list.map(p -> String.valueOf(p.getFileName())).sorted().toList();
        }
    }
}
