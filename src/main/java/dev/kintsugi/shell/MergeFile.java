package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.MergeConfig;
import dev.kintsugi.fusion.MergePlan;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.tensor.StateDict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A mergekit configuration, read for `fuse --from`: its models are opened and its merge becomes a fusion.
///
/// A model's path is looked for beside the file, then where the shell stands; a path that is open already is
/// not opened again, and the name of an open model will do for a path.
final class MergeFile {
    private static final List<String> OPTIONS =
            List.of("from", "as", "crop-vocabulary", "redefine", "lora-alpha", "format");

    private final Invocation call;
    private final Session session;
    private final Path file;
    private final List<String> opened = new ArrayList<>();
    private final Map<String, MergeConfig> stages = new LinkedHashMap<>();
    private final Map<String, ParentModel> made = new LinkedHashMap<>();
    private final Set<String> begun = new HashSet<>();
    private final Set<String> told = new HashSet<>();

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
        List<MergeConfig> configs = MergeConfig.parseAll(text());
        try {
            if (configs.size() == 1) {
                return fused(name, configs.getFirst());
            }
            configs.forEach(config -> config.name().ifPresent(n -> stages.put(n, config)));
            return fused(
                    name,
                    configs.stream().filter(c -> c.name().isEmpty()).findFirst().orElseThrow());
        } catch (Fault fault) {
            opened.reversed().forEach(session::close);
            throw fault;
        }
    }

    private FusedModel fused(String name, MergeConfig read) {
        Map<String, ParentModel> byPath = new LinkedHashMap<>();
        read.models().forEach(path -> byPath.put(path, parent(path)));
        MergeConfig config =
                read.renamed(path -> Objects.requireNonNull(byPath.get(path)).name());
        Map<String, ParentModel> parents = new LinkedHashMap<>();
        byPath.values().forEach(p -> parents.put(p.name(), p));
        boolean crop = call.has("crop-vocabulary");
        List<ParentModel> models = List.copyOf(parents.values());
        Model face = face(config, parents);
        config = withHeadDim(config, face);
        Optional<TokenMerge> tokens = tokens(config, byPath, face);
        if (tokens.isEmpty()) {
            Vocabulary.refuseLoss(config.method(), models, Optional.empty(), tensor -> true, face, crop);
        }
        MergePlan planned =
                MergePlan.of(config, n -> Objects.requireNonNull(parents.get(n)).tensors(), crop);
        MergePlan plan = tokens.map(t -> planned.withTokens(t.rows())).orElse(planned);
        StateDict tensors = plan.fuse();
        Optional<Fusion> fusion = plan.whole();
        String command = "fuse --from " + Tokenizer.quote(call.value("from").orElseThrow()) + " --as " + name
                + (crop ? " --crop-vocabulary" : "");
        MergeConfig merged = config;
        Optional<String> line = crop || tokens.isPresent()
                ? Optional.empty()
                : fusion.flatMap(f -> MergeRecipe.line(f, merged, models, name));
        tellRecipe(models, line.orElse(command));
        FaceChanges changes = tokens.map(TokenMerge::changes).orElse(FaceChanges.NONE);
        changes.notes().forEach(session.console()::note);
        return new FusedModel(
                name,
                stages.isEmpty() ? line.orElse(command) : command,
                new FusedModel.Parents(models, face),
                fusion,
                tensors,
                changes.with(new LayerEdits(face, plan.layerSources(), tensors).edits()));
    }

    /// The configuration with the size of a head that `config.json` says, where the method asks for it and
    /// nobody gave it.
    private static MergeConfig withHeadDim(MergeConfig config, Model face) {
        boolean asks = config.method().findOption("head_dim").isPresent()
                && !config.parameters().containsKey("head_dim");
        OptionalLong size = asks ? FuseArguments.headDim(face) : OptionalLong.empty();
        return size.isEmpty() ? config : config.withParameter("head_dim", Setting.of(size.getAsLong()));
    }

    /// How the models' tokens become one vocabulary, where the configuration asks for it. **Errors.** [Fault]
    /// `K7006` for a step, and together with `--crop-vocabulary`.
    private Optional<TokenMerge> tokens(MergeConfig config, Map<String, ParentModel> byPath, Model face) {
        if (config.tokenizer().isEmpty()) {
            return Optional.empty();
        }
        if (call.has("crop-vocabulary")) {
            throw new Fault(
                    Code.K7006,
                    "a tokenizer is given, and --crop-vocabulary",
                    "both say which rows the result has",
                    "leave --crop-vocabulary out");
        }
        if (config.name().isPresent() && !stages.isEmpty()) {
            throw new Fault(
                    Code.K7006,
                    "the configuration " + config.name().get() + " merges tokens",
                    "it is a step, and what its rows mean is written with the result only",
                    "say tokenizer in the configuration without a name");
        }
        Map<String, ParentModel> parents = new LinkedHashMap<>();
        config.models()
                .forEach(name -> byPath.values().stream()
                        .filter(p -> p.name().equals(name))
                        .findFirst()
                        .ifPresent(p -> parents.put(name, p)));
        String base = config.baseModel().orElse(config.models().getFirst());
        TokenMerge merge = new TokenMerge(config.tokenizer().get(), config.baseModel(), parents, base, face);
        return merge.hasTokens(session.console())
                ? Optional.of(merge.from(path -> tokenizerAt(path, byPath)))
                : Optional.empty();
    }

    /// The model at `path`, or the directory with a tokenizer.
    private TokenMerge.Whose tokenizerAt(String path, Map<String, ParentModel> byPath) {
        ParentModel parent = byPath.get(path);
        if (parent != null) {
            return TokenMerge.Whose.of(parent.models().getFirst());
        }
        Model open = session.models().get(path);
        if (open != null) {
            return TokenMerge.Whose.of(open);
        }
        Path found = beside(path);
        if (!Files.isDirectory(found)) {
            throw noPath(path);
        }
        return new TokenMerge.Whose(Optional.of(found), Map.of());
    }

    /// The model at `path`: the result of another configuration of the file, or an open model, or one with
    /// adapters as in `base+adapter`.
    private ParentModel parent(String path) {
        MergeConfig stage = stages.get(path);
        if (stage == null) {
            return ParentModel.one(nameOf(path), HubArguments.alpha(call), session);
        }
        ParentModel known = made.get(path);
        if (known != null) {
            return known;
        }
        if (!begun.add(path)) {
            throw new Fault(
                    Code.K7006,
                    "the configuration " + path + " is made of itself",
                    "it names " + String.join(", ", stage.models()),
                    "let it name models on disk, or configurations that do not need it");
        }
        FusedModel fused = fused(path, stage);
        List<Model> models = new ArrayList<>(List.of(fused.parents().face()));
        fused.parents().models().stream().filter(m -> !models.contains(m)).forEach(models::add);
        ParentModel parent = new ParentModel(path, fused.tensors(), models);
        made.put(path, parent);
        return parent;
    }

    /// The base, or the first model; where that has no `config.json`, the first that has one.
    private static Model face(MergeConfig config, Map<String, ParentModel> parents) {
        List<Model> models =
                parents.values().stream().map(p -> p.models().getFirst()).toList();
        Model first = config.baseModel()
                .map(b -> Objects.requireNonNull(parents.get(b)).models().getFirst())
                .orElse(models.getFirst());
        return Stream.concat(Stream.of(first), models.stream())
                .filter(m -> m.sidecars().isPresent())
                .findFirst()
                .orElse(first);
    }

    private void tellRecipe(List<ParentModel> parents, String last) {
        parents.stream()
                .flatMap(p -> p.models().stream())
                .filter(m -> told.add(m.name()))
                .forEach(m -> session.console().note("recipe: " + m.command()));
        session.console().note("recipe: " + last);
    }

    private String text() {
        try {
            if (Files.isRegularFile(file)) {
                Limit.MERGE_FILE_BYTES.checkSize(file, Code.K7006);
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

    /// The name of the open model at `path`, which is opened if need be. A `+` parts a model from its
    /// adapters, unless it belongs to the name of what is there.
    private String nameOf(String path) {
        Path found = beside(path);
        if (!Files.exists(found)) {
            if (session.models().containsKey(path)) {
                return path;
            }
            if (path.contains("+")) {
                return Stream.of(path.split("\\+", -1)).map(this::nameOf).collect(Collectors.joining("+"));
            }
            throw noPath(path);
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

    /// `path` beside the file, or where the shell stands.
    private Path beside(String path) {
        Path directory = file.toAbsolutePath().normalize().getParent();
        Path beside = directory == null ? Opening.path(path) : directory.resolve(Opening.path(path));
        return Files.exists(beside) ? shorter(beside) : Opening.path(path);
    }

    private Fault noPath(String path) {
        return new Fault(
                Code.K1010,
                path + ": no such path, named in " + file,
                "it is looked for beside that file, then here; nothing is fetched from the Hub",
                "write the path of a directory, or the name of an open model");
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
}
