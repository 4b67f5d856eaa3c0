package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.tensor.StateDict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import org.jspecify.annotations.Nullable;

/// A fusion of open models. It holds no bytes: its tensors are computed from its parents' when they are read.
final class FusedModel implements Model {
    private final String name;
    private final String command;
    private final Parents parents;
    private final Optional<Fusion> fusion;
    private final StateDict tensors;
    private final FaceChanges changes;
    private @Nullable HubModel usual;

    /// The models a fusion is made of, under the names it gives them, and the one whose `config.json` and
    /// tokenizer the result has.
    record Parents(List<ParentModel> all, Model face) {
        Parents {
            all = List.copyOf(all);
        }

        /// The open models behind them, each once.
        SequencedSet<Model> models() {
            SequencedSet<Model> models = new LinkedHashSet<>();
            all.forEach(p -> models.addAll(p.models()));
            models.add(face);
            return models;
        }
    }

    /// `fusion` is absent where the tensors come of several, as slices do. `changes` are those to the face's
    /// files; a face that is a fusion itself has made its own before.
    FusedModel(
            String name,
            String command,
            Parents parents,
            Optional<Fusion> fusion,
            StateDict tensors,
            FaceChanges changes) {
        this.name = name;
        this.command = command;
        this.parents = parents;
        this.fusion = fusion;
        this.tensors = tensors;
        this.changes = parents.face() instanceof FusedModel fused ? changes.after(fused.changes) : changes;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String command() {
        return command;
    }

    Parents parents() {
        return parents;
    }

    Optional<Fusion> fusion() {
        return fusion;
    }

    @Override
    public StateDict tensors() {
        return tensors;
    }

    @Override
    public synchronized HubModel hub() {
        HubModel known = usual;
        if (known == null) {
            known = hub(HubOptions.defaults());
            usual = known;
        }
        return known;
    }

    @Override
    public HubModel hub(HubOptions options) {
        return HubModel.of(tensors, parents.face().directories(), sidecars(), options, changes.configEdits());
    }

    @Override
    public Optional<Checkpoint> checkpoint() {
        return Optional.empty();
    }

    @Override
    public List<Path> directories() {
        SequencedSet<Path> directories = new LinkedHashSet<>();
        parents.models().forEach(m -> directories.addAll(m.directories()));
        return List.copyOf(directories);
    }

    @Override
    public Optional<Path> sidecars() {
        return parents.face().sidecars();
    }

    @Override
    public Optional<Path> tokenizer() {
        return changes.tokenizer().or(() -> parents.face().tokenizer());
    }

    @Override
    public Map<String, String> texts() {
        return changes.texts();
    }

    /// What became of the models' tokens, where they were merged.
    List<String> tokenNotes() {
        return changes.notes();
    }

    @Override
    public void checkUnchanged() {
        parents.models().forEach(Model::checkUnchanged);
    }

    /// What it is made of stays open.
    @Override
    public void close() {}

    /// **Errors.** [Fault] `K7007` if a fusion of `session` is made of `model`.
    static void refuseIfUsed(Model model, Session session) {
        List<String> users = new ArrayList<>();
        for (Model other : session.models().values()) {
            if (other instanceof FusedModel fused && fused.parents.models().contains(model)) {
                users.add(other.name());
            }
        }
        if (!users.isEmpty()) {
            throw new Fault(
                    Code.K7007,
                    model.name() + " is part of " + String.join(", ", users),
                    "a fusion reads its models whenever somebody looks at it",
                    "close both: close " + String.join(" ", users) + " " + model.name());
        }
    }
}
