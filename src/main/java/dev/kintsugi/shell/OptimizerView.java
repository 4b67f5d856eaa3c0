package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.open.Checkpoints;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The optimizer's state beside a model, `actor.optim`: its tensors are named by parameter and state, as in
/// `model.norm.weight.exp_avg`.
///
/// It is opened when it is first named and closes with its model.
final class OptimizerView implements Model {
    static final String SUFFIX = ".optim";

    private final String name;
    private final Model model;
    private final OptimizerCheckpoint optimizer;

    private OptimizerView(String name, Model model, OptimizerCheckpoint optimizer) {
        this.name = name;
        this.model = model;
        this.optimizer = optimizer;
    }

    /// The optimizer beside `model`. **Errors.** [Fault] `K1004` if its directory holds none that is read.
    static OptimizerView of(Model model, Session session) {
        Optional<OptimizerCheckpoint> found = model.checkpoint().isEmpty()
                ? Optional.empty()
                : session.work(
                        "open", job -> Checkpoints.openOptimizer(model.directories(), OpenOptions.defaults(), job));
        return found.map(o -> new OptimizerView(model.name() + SUFFIX, model, o))
                .orElseThrow(() -> new Fault(
                        Code.K1004,
                        model.name() + " has no optimizer state",
                        "no optimizer files that are read lie in " + model.directories(),
                        "look at the files with: shards " + model.name()));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String command() {
        return model.command();
    }

    @Override
    public StateDict tensors() {
        return optimizer.state().tensors();
    }

    /// Names are as they are: no architecture knows them.
    @Override
    public HubModel hub(HubOptions options) {
        return HubModel.of(
                tensors(),
                directories(),
                Optional.empty(),
                HubOptions.defaults().withKeys(HubOptions.Keys.AS_IS));
    }

    @Override
    public Optional<Checkpoint> checkpoint() {
        return Optional.of(optimizer.state());
    }

    @Override
    public List<Path> directories() {
        return model.directories();
    }

    @Override
    public Optional<Path> sidecars() {
        return Optional.empty();
    }

    @Override
    public String weightsName() {
        return "optimizer";
    }

    @Override
    public Map<String, String> texts() {
        return Map.of("optimizer.json", optimizer.settings().toPrettyString() + "\n");
    }

    @Override
    public void checkUnchanged() {
        optimizer.state().checkUnchanged();
    }

    @Override
    public void close() {
        optimizer.close();
    }
}
