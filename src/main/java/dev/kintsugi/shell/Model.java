package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.tensor.StateDict;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A named state dict in the workspace.
interface Model extends AutoCloseable {
    String name();

    /// The command that makes it again.
    String command();

    /// Its tensors under their names on disk, an adapter's included.
    StateDict tensors();

    /// It as a Hugging Face model.
    HubModel hub(HubOptions options);

    /// It as commands that look show it.
    default HubModel hub() {
        return hub(HubOptions.defaults());
    }

    /// The checkpoint behind it, if it is one and not a fusion.
    Optional<Checkpoint> checkpoint();

    /// The directories it reads.
    List<Path> directories();

    /// Where `config.json` and the tokenizer are.
    Optional<Path> sidecars();

    /// Where the tokenizer is, if not there.
    default Optional<Path> tokenizer() {
        return sidecars();
    }

    /// What its weight files are called when it is written, without the ending.
    default String weightsName() {
        return "model";
    }

    /// Texts to write beside the weights, by file name; they stand for the sidecars of that name.
    default Map<String, String> texts() {
        return Map.of();
    }

    /// Checks that its sources are as they were. **Errors.** [dev.kintsugi.fault.Fault] `K2401` if not.
    void checkUnchanged();

    @Override
    void close();
}
