package dev.kintsugi.shell;

import dev.kintsugi.architecture.Config;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.MergeConfig;
import dev.kintsugi.fusion.MergePlan;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// A mergekit configuration, read for `fuse --from`: its models are opened and its merge becomes a fusion.
///
/// A model's path is looked for beside the file, then where the shell stands; a path that is open already is
/// not opened again, and the name of an open model will do for a path.
final class MergeFile {
    private static final long MAX_BYTES = 1L << 20;
    private static final List<String> OPTIONS =
            List.of("from", "as", "crop-vocabulary", "redefine", "lora-alpha", "format");
    private static final Pattern LAYER = Pattern.compile(".*\\.layers\\.(\\d{1,6})\\..*");

    private final Invocation call;
    private final Session session;
    private final Path file;
    private final List<String> opened = new ArrayList<>();

    MergeFile(Invocation call) {
        this.call = call;
        this.session = call.session();
        this.file = Opening.path(call.value("from").orElseThrow());
        List<String> others = new ArrayList<>(call.words());
        call.options().keySet().stream().filter(o -> !OPTIONS.contains(o)).forEach(o -> others.add("--" + o));
        if (!others.isEmpty()) {
            throw new Fault(
                    Code.K7002,
                    "fuse --from with " + String.join(" ", others),
                    "the file says method, models and options",
                    "change the file, or leave --from out");
        }
    }

    /// Opens the models the file names and defines their merge as `name`. Models opened for it are closed
    /// again if that fails.
    ///
    /// **Errors.** [Fault] `K7006` and what opening and fusing throw.
    FusedModel define(String name) {
        MergeConfig read = MergeConfig.parse(text());
        try {
            Map<String, String> names = new LinkedHashMap<>();
            read.models().forEach(path -> names.put(path, nameOf(path)));
            return fused(name, read.renamed(path -> Objects.requireNonNull(names.get(path))));
        } catch (Fault fault) {
            opened.reversed().forEach(session::close);
            throw fault;
        }
    }

    private FusedModel fused(String name, MergeConfig config) {
        OptionalDouble alpha = HubArguments.alpha(call);
        Map<String, ParentModel> parents = new LinkedHashMap<>();
        config.models().forEach(n -> parents.put(n, ParentModel.one(n, alpha, session)));
        boolean crop = call.has("crop-vocabulary");
        List<ParentModel> models = List.copyOf(parents.values());
        if (!crop) {
            Vocabulary.refuseLoss(config.method(), models, Optional.empty(), tensor -> true);
        }
        MergePlan plan =
                MergePlan.of(config, n -> Objects.requireNonNull(parents.get(n)).tensors(), crop);
        StateDict tensors = plan.fuse();
        Model face = face(config, models);
        Optional<Fusion> fusion = plan.whole();
        String command = "fuse --from " + Tokenizer.quote(call.value("from").orElseThrow()) + " --as " + name
                + (crop ? " --crop-vocabulary" : "");
        Optional<String> line =
                crop ? Optional.empty() : fusion.flatMap(f -> MergeRecipe.line(f, config, models, name));
        tellRecipe(models, line.orElse(command));
        return new FusedModel(
                name,
                line.orElse(command),
                new FusedModel.Parents(models, face),
                fusion,
                tensors,
                edits(face, tensors));
    }

    /// The base, or the first model; where that has no `config.json`, the first that has one.
    private Model face(MergeConfig config, List<ParentModel> models) {
        Model first = session.model(config.baseModel().orElse(models.getFirst().name()));
        return Stream.concat(
                        Stream.of(first), models.stream().map(p -> p.models().getFirst()))
                .filter(m -> m.sidecars().isPresent())
                .findFirst()
                .orElse(first);
    }

    private void tellRecipe(List<ParentModel> parents, String last) {
        parents.forEach(p -> p.models().forEach(m -> session.console().note("recipe: " + m.command())));
        session.console().note("recipe: " + last);
    }

    private String text() {
        try {
            if (Files.isRegularFile(file) && Files.size(file) <= MAX_BYTES) {
                return Files.readString(file);
            }
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, file + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        }
        throw new Fault(
                Files.exists(file) ? Code.K7006 : Code.K1010,
                file + (Files.exists(file) ? ": no merge configuration" : ": no such file"),
                "a merge configuration is a YAML file of a few lines",
                "check the path");
    }

    /// The name of the open model at `path`, which is opened if need be.
    private String nameOf(String path) {
        Path directory = file.toAbsolutePath().normalize().getParent();
        Path beside = directory == null ? Opening.path(path) : directory.resolve(Opening.path(path));
        Path found = Files.exists(beside) ? shorter(beside) : Opening.path(path);
        if (!Files.exists(found)) {
            if (session.models().containsKey(path)) {
                return path;
            }
            throw new Fault(
                    Code.K1010,
                    path + ": no such path, named in " + file,
                    "it is looked for beside that file, then here; nothing is fetched from the Hub",
                    "write the path of a directory, or the name of an open model");
        }
        for (Model model : session.models().values()) {
            if (model instanceof OpenedModel && model.directories().stream().anyMatch(d -> same(d, found))) {
                return model.name();
            }
        }
        String name = session.freeName(Opening.nameOf(found));
        String command = "open " + Tokenizer.quote(found.toString()) + " --as " + name;
        session.add(new OpenedModel(name, command, Opening.open(List.of(found), OpenOptions.defaults(), session)));
        opened.add(name);
        return name;
    }

    /// `path` from where the shell stands, if it lies below.
    private static Path shorter(Path path) {
        Path here = Path.of("").toAbsolutePath();
        Path normal = path.toAbsolutePath().normalize();
        return normal.startsWith(here) && !normal.equals(here) ? here.relativize(normal) : normal;
    }

    private static boolean same(Path directory, Path path) {
        try {
            return Files.isSameFile(directory, path);
        } catch (IOException e) {
            return false;
        }
    }

    /// What `config.json` says of the number of layers and tokens, where the merge has others.
    private static Map<String, String> edits(Model face, StateDict tensors) {
        Map<String, String> edits = new LinkedHashMap<>();
        Optional<Config> config = face.hub().config();
        if (config.isEmpty() || config.get().find("text_config").isPresent()) {
            return edits;
        }
        int layers = layers(tensors);
        Optional<Long> said = config.get().integer("num_hidden_layers");
        if (layers > 0 && said.filter(n -> n != layers).isPresent()) {
            edits.put("num_hidden_layers", Integer.toString(layers));
            config.get()
                    .find("layer_types")
                    .flatMap(types -> layerTypes(types, layers))
                    .ifPresent(types -> edits.put("layer_types", types));
        }
        Optional<Long> rows = tensors.find("model.embed_tokens.weight")
                .map(Tensor::spec)
                .filter(s -> s.shape().ndim() == 2)
                .map(s -> s.shape().dim(0));
        if (rows.isPresent()
                && config.get()
                        .integer("vocab_size")
                        .filter(n -> !n.equals(rows.get()))
                        .isPresent()) {
            edits.put("vocab_size", Long.toString(rows.get()));
        }
        return edits;
    }

    private static int layers(StateDict tensors) {
        TreeSet<Integer> layers = new TreeSet<>();
        for (String name : tensors.names()) {
            Matcher matcher = LAYER.matcher(name);
            if (matcher.matches()) {
                layers.add(Integer.parseInt(matcher.group(1)));
            }
        }
        return layers.isEmpty() ? 0 : layers.last() + 1;
    }

    /// As many types as there are layers, where all layers are of one type.
    private static Optional<String> layerTypes(JsonNode types, int layers) {
        TreeSet<String> kinds = new TreeSet<>();
        types.forEach(t -> kinds.add(t.asString("")));
        if (kinds.size() != 1) {
            return Optional.empty();
        }
        List<String> all = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            all.add("    \"" + kinds.first() + "\"");
        }
        return Optional.of("[\n" + String.join(",\n", all) + "\n  ]");
    }
}
