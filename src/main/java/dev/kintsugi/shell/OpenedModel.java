package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// A checkpoint that is open.
final class OpenedModel implements Model {
    private final String name;
    private final String command;
    private final Checkpoint opened;
    private @Nullable HubModel usual;

    OpenedModel(String name, String command, Checkpoint opened) {
        this.name = name;
        this.command = command;
        this.opened = opened;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String command() {
        return command;
    }

    /// Made once: a model may have a million names.
    @Override
    public synchronized HubModel hub() {
        HubModel known = usual;
        if (known == null) {
            known = make(HubOptions.defaults());
            usual = known;
        }
        return known;
    }

    @Override
    public HubModel hub(HubOptions options) {
        return options.equals(HubOptions.defaults()) ? hub() : make(options);
    }

    private HubModel make(HubOptions options) {
        return HubModel.of(opened.tensors(), opened.directories(), opened.sidecars(), options);
    }

    @Override
    public StateDict tensors() {
        HubModel hub = hub();
        if (hub.adapter().isEmpty()) {
            return hub.tensors();
        }
        SequencedMap<String, Tensor> all = new LinkedHashMap<>(hub.tensors().tensors());
        hub.adapter().ifPresent(a -> all.putAll(a.tensors().tensors()));
        return StateDict.of(all);
    }

    @Override
    public Optional<Checkpoint> checkpoint() {
        return Optional.of(opened);
    }

    @Override
    public List<Path> directories() {
        return opened.directories();
    }

    @Override
    public Optional<Path> sidecars() {
        return opened.sidecars();
    }

    @Override
    public void checkUnchanged() {
        opened.checkUnchanged();
    }

    @Override
    public void close() {
        opened.close();
    }
}
