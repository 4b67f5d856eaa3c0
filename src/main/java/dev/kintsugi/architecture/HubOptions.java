package dev.kintsugi.architecture;

import java.util.OptionalDouble;

/// How a checkpoint's tensors become a Hugging Face model.
///
/// @param keys names as `config.json` and the family have them, or as they are in the files
/// @param tie whether the head is dropped for the embedding: as the configuration says, always, never
/// @param lora what to do with adapters
/// @param loraAlpha the adapter's alpha, where no file says it
/// @param valueModel the model has a value head in place of the language head
public record HubOptions(Keys keys, Choice tie, Lora lora, OptionalDouble loraAlpha, boolean valueModel) {
    /// Which names to write.
    public enum Keys {
        CONFIG,
        AS_IS
    }

    /// A decision, or leaving it to the configuration.
    public enum Choice {
        AUTO,
        YES,
        NO
    }

    /// What to do with adapters.
    public enum Lora {
        KEEP,
        MERGE,
        ONLY
    }

    public static HubOptions defaults() {
        return new HubOptions(Keys.CONFIG, Choice.AUTO, Lora.KEEP, OptionalDouble.empty(), false);
    }

    public HubOptions withKeys(Keys other) {
        return new HubOptions(other, tie, lora, loraAlpha, valueModel);
    }
}
