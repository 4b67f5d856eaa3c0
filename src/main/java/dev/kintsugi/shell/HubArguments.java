package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/// The options that say how a checkpoint becomes a Hugging Face model.
final class HubArguments {
    static final List<OptionSpec> OPTIONS = List.of(
            OptionSpec.choice(
                    "keys", List.of("config", "as-is"), "names as config.json has them, or as they are in the files"),
            OptionSpec.choice("lora", List.of("keep", "merge", "only"), "what to do with an adapter; keep"),
            OptionSpec.value("lora-alpha", "N", ValueKind.TEXT, "the adapter's alpha, where no file says it"),
            OptionSpec.choice(
                    "tie-word-embeddings",
                    List.of("auto", "yes", "no"),
                    "whether the head is dropped for the embedding; as config.json says"));

    private HubArguments() {}

    static HubOptions of(Invocation call) {
        HubOptions.Choice tie = HubOptions.Choice.valueOf(
                call.value("tie-word-embeddings").orElse("auto").toUpperCase(Locale.ROOT));
        if (call.has("tie-word-embedding")) {
            tie = HubOptions.Choice.YES;
        }
        HubOptions.Keys keys =
                call.value("keys").filter("as-is"::equalsIgnoreCase).isPresent()
                        ? HubOptions.Keys.AS_IS
                        : HubOptions.Keys.CONFIG;
        return new HubOptions(
                keys,
                tie,
                HubOptions.Lora.valueOf(call.value("lora").orElse("keep").toUpperCase(Locale.ROOT)),
                alpha(call),
                call.has("is-value-model"));
    }

    static OptionalDouble alpha(Invocation call) {
        if (call.value("lora-alpha").isEmpty()) {
            return OptionalDouble.empty();
        }
        String text = call.value("lora-alpha").get();
        try {
            double alpha = Double.parseDouble(text);
            if (alpha > 0 && alpha < 1e9) {
                return OptionalDouble.of(alpha);
            }
        } catch (NumberFormatException e) {
            throw badAlpha(text, e);
        }
        throw badAlpha(text, null);
    }

    private static Fault badAlpha(String text, @Nullable Throwable cause) {
        return new Fault(
                Code.K1003,
                "--lora-alpha " + text + ": not a number above 0",
                "alpha divided by the rank scales the adapter; 0 would switch it off",
                "give the alpha the adapter was trained with",
                cause);
    }
}
