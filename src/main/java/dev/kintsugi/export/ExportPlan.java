package dev.kintsugi.export;

import dev.kintsugi.architecture.Adapter;
import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.safetensors.SafetensorsLayout;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/// Everything an export will write, to the byte, decided before the first is written.
public final class ExportPlan {
    private final Path target;
    private final ExportOptions options;
    private final List<PlannedFile> files;
    private final CastLoss loss;
    private final List<String> notes;

    /// A file of the output, for a person: its path within the target and its size in bytes.
    public record Line(String name, long byteCount, int tensors) {}

    private ExportPlan(Path target, ExportOptions options, List<PlannedFile> files, CastLoss loss, List<String> notes) {
        this.target = target;
        this.options = options;
        this.files = List.copyOf(files);
        this.loss = loss;
        this.notes = List.copyOf(notes);
    }

    /// Plans to write `model` to `target`, with the sidecars of the directory `sidecars`.
    ///
    /// **Errors.** [Fault] `K4006` where an adapter's alpha is not known, `K5003` where a sidecar cannot be
    /// read.
    public static ExportPlan of(HubModel model, Optional<Path> sidecars, Path target, ExportOptions options) {
        CastLoss loss = new CastLoss();
        List<String> notes = new ArrayList<>();
        List<PlannedFile> files = new ArrayList<>();
        StateDict tensors = model.tensors();
        if (tensors.size() > 0) {
            files.addAll(weights("", "model", cast(tensors, options, loss), options));
        }
        if (model.adapter().isPresent()) {
            Adapter adapter = model.adapter().get();
            ExportOptions whole = new ExportOptions(options.dtype(), Long.MAX_VALUE, false, false, options.metadata());
            files.addAll(weights("lora_adapter/", "adapter_model", cast(adapter.tensors(), options, loss), whole));
            files.add(new PlannedFile.Text(
                    "lora_adapter/adapter_config.json",
                    adapter.configText(model.loraAlpha()).getBytes(StandardCharsets.UTF_8)));
        }
        sidecars.ifPresent(directory -> files.addAll(sidecarFiles(model, directory, options, notes)));
        return new ExportPlan(target, options, files, loss, notes);
    }

    private static StateDict cast(StateDict tensors, ExportOptions options, CastLoss loss) {
        if (options.dtype().isEmpty()) {
            return tensors;
        }
        DType wanted = options.dtype().get();
        SequencedMap<String, Tensor> cast = new LinkedHashMap<>();
        tensors.tensors().forEach((name, tensor) -> {
            DType dtype = tensor.spec().dtype();
            boolean same = dtype == wanted || !dtype.isFloat();
            cast.put(name, same ? tensor : new CastTensor(tensor, wanted, loss));
        });
        return StateDict.of(cast);
    }

    private static List<PlannedFile> weights(String folder, String stem, StateDict tensors, ExportOptions options) {
        List<SequencedMap<String, Tensor>> groups = WeightFiles.divide(tensors, options.maxShardBytes());
        Map<String, String> metadata = new TreeMap<>(options.metadata());
        metadata.put("format", "pt");
        List<PlannedFile> files = new ArrayList<>();
        Map<String, String> fileOfTensor = new TreeMap<>();
        for (int i = 0; i < groups.size(); i++) {
            String suffix = groups.size() == 1 ? "" : String.format("-%05d-of-%05d", i + 1, groups.size());
            String name = stem + suffix + ".safetensors";
            SequencedMap<String, TensorSpec> specs = new LinkedHashMap<>();
            groups.get(i).forEach((tensorName, tensor) -> {
                specs.put(tensorName, tensor.spec());
                fileOfTensor.put(tensorName, name);
            });
            files.add(new PlannedFile.Weights(folder + name, groups.get(i), SafetensorsLayout.of(specs, metadata)));
        }
        if (groups.size() > 1) {
            files.add(new PlannedFile.Text(
                    folder + stem + ".safetensors.index.json",
                    WeightFiles.index(tensors, fileOfTensor).getBytes(StandardCharsets.UTF_8)));
        }
        return files;
    }

    private static List<PlannedFile> sidecarFiles(
            HubModel model, Path directory, ExportOptions options, List<String> notes) {
        List<PlannedFile> files = new ArrayList<>();
        try (Stream<Path> list = Files.list(directory)) {
            for (Path file : (Iterable<Path>) list.sorted()::iterator) {
                String name = String.valueOf(file.getFileName());
                if (!SidecarFiles.isSidecar(name) || !Files.isRegularFile(file)) {
                    continue;
                }
                if (name.equals("config.json")) {
                    files.add(configFile(model, file, options, notes));
                } else {
                    files.add(new PlannedFile.Copy(name, file, Files.size(file)));
                }
            }
            SidecarFiles.check(directory, files);
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    directory + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the permissions",
                    e);
        }
        return files;
    }

    private static PlannedFile configFile(HubModel model, Path file, ExportOptions options, List<String> notes)
            throws IOException {
        SequencedMap<String, String> edits = model.configEdits();
        if (model.config().isEmpty()) {
            return new PlannedFile.Copy("config.json", file, Files.size(file));
        }
        String text = model.config().get().text();
        boolean casts = options.dtype().isPresent() && model.options().keys() == HubOptions.Keys.CONFIG;
        if (casts) {
            String quoted = "\"" + options.dtype().get().torchName() + "\"";
            for (String key : List.of("dtype", "torch_dtype")) {
                text = JsonText.replaceEverywhere(text, key, quoted);
            }
        }
        for (Map.Entry<String, String> edit : edits.entrySet()) {
            text = JsonText.set(text, edit.getKey(), edit.getValue());
        }
        if (text.equals(model.config().get().text())) {
            return new PlannedFile.Copy("config.json", file, Files.size(file));
        }
        TreeSet<String> changed = new TreeSet<>(edits.keySet());
        if (casts) {
            changed.add("dtype");
        }
        notes.add("config.json: " + String.join(", ", changed) + " changed to match the weights");
        return new PlannedFile.Text("config.json", text.getBytes(StandardCharsets.UTF_8));
    }

    public Path target() {
        return target;
    }

    public ExportOptions options() {
        return options;
    }

    List<PlannedFile> files() {
        return files;
    }

    /// The files, in the order in which they are written.
    public List<Line> lines() {
        return files.stream()
                .map(f -> new Line(
                        f.name(),
                        f.byteCount(),
                        f instanceof PlannedFile.Weights w ? w.tensors().size() : 0))
                .toList();
    }

    /// What the output weighs. **Units.** Bytes.
    public long byteCount() {
        return files.stream().mapToLong(PlannedFile::byteCount).reduce(0, Math::addExact);
    }

    public int tensorCount() {
        return lines().stream().mapToInt(Line::tensors).sum();
    }

    /// What was changed that a person should know.
    public List<String> notes() {
        return notes;
    }

    /// What the casts lose; filled while the export runs.
    public CastLoss loss() {
        return loss;
    }
}
