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
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
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

    /// What goes beside the weights.
    ///
    /// @param texts files by name, in place of those of the directories
    /// @param sidecars the directory whose files are copied
    /// @param tokenizer the directory whose tokenizer's files are copied in place of those of `sidecars`
    public record Beside(Map<String, String> texts, Optional<Path> sidecars, Optional<Path> tokenizer) {
        public Beside {
            texts = Map.copyOf(texts);
        }
    }

    /// Plans to write `model` to `target`, with the sidecars of the directory `sidecars`.
    ///
    /// **Errors.** [Fault] `K4006` where an adapter's alpha is not known, `K5003` where a sidecar cannot be
    /// read.
    public static ExportPlan of(HubModel model, Optional<Path> sidecars, Path target, ExportOptions options) {
        return of(model, "model", new Beside(Map.of(), sidecars, sidecars), target, options);
    }

    /// The same with weight files named after `stem`.
    public static ExportPlan of(HubModel model, String stem, Beside beside, Path target, ExportOptions options) {
        CastLoss loss = new CastLoss();
        List<String> notes = new ArrayList<>();
        List<PlannedFile> files = new ArrayList<>();
        StateDict tensors = model.tensors();
        if (tensors.size() > 0) {
            files.addAll(weights("", stem, cast(tensors, options, loss), model.blocks(), options));
        }
        if (model.adapter().isPresent()) {
            Adapter adapter = model.adapter().get();
            ExportOptions whole = new ExportOptions(options.dtype(), Long.MAX_VALUE, false, false, options.metadata());
            files.addAll(
                    weights("lora_adapter/", "adapter_model", cast(adapter.tensors(), options, loss), Map.of(), whole));
            files.add(new PlannedFile.Text(
                    "lora_adapter/adapter_config.json",
                    adapter.configText(model.loraAlpha()).getBytes(StandardCharsets.UTF_8)));
        }
        new TreeMap<>(beside.texts())
                .forEach((name, text) -> files.add(new PlannedFile.Text(name, text.getBytes(StandardCharsets.UTF_8))));
        boolean own = beside.tokenizer().isEmpty() || beside.tokenizer().equals(beside.sidecars());
        beside.sidecars()
                .ifPresent(directory -> files.addAll(sidecarFiles(
                        model,
                        directory,
                        name -> !beside.texts().containsKey(name) && (own || !SidecarFiles.isTokenizer(name)),
                        options,
                        notes)));
        if (!own) {
            files.addAll(sidecarFiles(
                    model,
                    beside.tokenizer().get(),
                    name -> !beside.texts().containsKey(name) && SidecarFiles.isTokenizer(name),
                    options,
                    notes));
        }
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

    private static List<PlannedFile> weights(
            String folder, String stem, StateDict tensors, Map<String, String> blocks, ExportOptions options) {
        List<SequencedMap<String, Tensor>> groups = WeightFiles.divide(tensors, blocks, options.maxShardBytes());
        Map<String, String> metadata = new TreeMap<>(options.metadata());
        metadata.put("format", "pt");
        List<PlannedFile> files = new ArrayList<>();
        Map<String, String> fileOfTensor = new TreeMap<>();
        for (int i = 0; i < groups.size(); i++) {
            String suffix = groups.size() == 1 ? "" : String.format(Locale.ROOT, "-%05d-of-%05d", i + 1, groups.size());
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
            HubModel model, Path directory, Predicate<String> wanted, ExportOptions options, List<String> notes) {
        List<PlannedFile> files = new ArrayList<>();
        try (Stream<Path> list = Files.list(directory)) {
            for (Path file : (Iterable<Path>) list.sorted()::iterator) {
                String name = String.valueOf(file.getFileName());
                if (!SidecarFiles.isSidecar(name) || !wanted.test(name) || !Files.isRegularFile(file)) {
                    continue;
                }
                SidecarFiles.refuseOutside(directory, file);
                if (name.equals("config.json")) {
                    files.add(configFile(model, file, options, notes));
                } else {
                    files.add(PlannedFile.Copy.of(name, file));
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
            return PlannedFile.Copy.of("config.json", file);
        }
        String text = model.config().get().text();
        Optional<DType> dtype = dtypeToSay(model, options);
        if (dtype.isPresent()) {
            String quoted = "\"" + dtype.get().torchName() + "\"";
            for (String key : List.of("dtype", "torch_dtype")) {
                text = JsonText.replaceEverywhere(text, key, quoted);
            }
        }
        for (Map.Entry<String, String> edit : edits.entrySet()) {
            text = JsonText.set(text, edit.getKey(), edit.getValue());
        }
        if (text.equals(model.config().get().text())) {
            return PlannedFile.Copy.of("config.json", file);
        }
        TreeSet<String> changed = new TreeSet<>(edits.keySet());
        dtype.ifPresent(d -> changed.add("dtype"));
        notes.add("config.json: " + String.join(", ", changed) + " changed to match the weights");
        return new PlannedFile.Text("config.json", text.getBytes(StandardCharsets.UTF_8));
    }

    /// The dtype that `config.json` must say, where it says another than all floating point tensors will
    /// have: loaders believe it. `save_pretrained` writes the weights' own too.
    private static Optional<DType> dtypeToSay(HubModel model, ExportOptions options) {
        if (model.options().keys() == HubOptions.Keys.AS_IS || model.config().isEmpty()) {
            return Optional.empty();
        }
        Set<DType> floats = EnumSet.noneOf(DType.class);
        model.tensors().tensors().values().stream()
                .map(t -> t.spec().dtype())
                .filter(DType::isFloat)
                .forEach(d -> floats.add(options.dtype().orElse(d)));
        Optional<String> said = model.config().flatMap(c -> c.string("dtype").or(() -> c.string("torch_dtype")));
        return floats.stream()
                .filter(d -> floats.size() == 1)
                .filter(d -> said.isPresent() && !said.get().equals(d.torchName()))
                .findFirst();
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
