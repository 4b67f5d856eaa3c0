package dev.kintsugi.fusion;

import dev.kintsugi.tensor.StateDict;
import java.util.Map;

/// A model that takes part in a fusion, with the options that hold for it alone, such as its `weight`.
public record Input(String name, StateDict model, Map<String, Setting> parameters) {
    public Input {
        parameters = Map.copyOf(parameters);
    }

    /// `model` with every option at what the fusion says.
    public static Input of(String name, StateDict model) {
        return new Input(name, model, Map.of());
    }

    /// `model` with a weight.
    public static Input of(String name, StateDict model, double weight) {
        return new Input(name, model, Map.of("weight", Setting.of(weight)));
    }
}
