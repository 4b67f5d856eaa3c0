package dev.kintsugi.checkpoint;

import tools.jackson.databind.JsonNode;

/// An optimizer's state beside a model.
///
/// @param state the tensors, named by parameter and state: `lm_head.weight.exp_avg`, `lm_head.weight.step`;
/// masters are named `lm_head.weight.fp32`
/// @param settings an object with what is no tensor: `param_groups` with the names of their parameters,
/// learning rates and such, and what else the framework keeps, such as the scheduler
public record OptimizerCheckpoint(Checkpoint state, JsonNode settings) implements AutoCloseable {
    /// Unmaps the files; tensors must not be read afterwards.
    @Override
    public void close() {
        state.close();
    }
}
