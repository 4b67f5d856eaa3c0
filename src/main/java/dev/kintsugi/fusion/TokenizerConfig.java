package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SequencedSet;
import java.util.function.UnaryOperator;

/// What a merge configuration says of the tokens of the result.
///
/// @param source whose tokens it has
/// @param tokens what is said of single tokens, by the token
/// @param padToMultipleOf what the number of rows is to be a multiple of
public record TokenizerConfig(Source source, Map<String, Choice> tokens, OptionalLong padToMultipleOf) {
    /// Whose tokens the result has.
    public sealed interface Source {
        /// Those of the base, or of the first model.
        record Base() implements Source {}

        /// Those of all models.
        record Union() implements Source {}

        /// Those of the tokenizer at a path, or of a model.
        record Of(String model) implements Source {}
    }

    /// Where the row of a token comes from for models that lack it; with `force`, for all models.
    public record Choice(From from, boolean force) {}

    /// A row of some model, or none.
    public sealed interface From {
        /// The same token's row in `model`.
        record Model(String model) implements From {}

        /// Another token's row in `model`.
        record Token(String model, String token) implements From {}

        /// The row numbered `row` of `model`.
        record Row(String model, long row) implements From {}

        /// Zeros.
        record Zero() implements From {}
    }

    public TokenizerConfig {
        tokens = Collections.unmodifiableMap(new LinkedHashMap<>(tokens));
    }

    /// The models that single tokens are taken from.
    public SequencedSet<String> models() {
        SequencedSet<String> models = new LinkedHashSet<>();
        tokens.values().forEach(choice -> {
            switch (choice.from()) {
                case From.Model from -> models.add(from.model());
                case From.Token from -> models.add(from.model());
                case From.Row from -> models.add(from.model());
                case From.Zero _ -> {}
            }
        });
        return models;
    }

    /// The same with every model that a row is taken from called what `names` says. **Errors.** [Fault] `K7006`
    /// for one that takes no part.
    TokenizerConfig renamed(SequencedSet<String> known, UnaryOperator<String> names) {
        for (String model : models()) {
            if (!known.contains(model)) {
                throw new Fault(
                        Code.K7006,
                        "a token is taken of " + model,
                        "that model takes no part in the merge; those that do are " + String.join(", ", known),
                        "name one of them");
            }
        }
        Map<String, Choice> renamed = new LinkedHashMap<>();
        tokens.forEach((token, choice) -> renamed.put(
                token,
                new Choice(
                        switch (choice.from()) {
                            case From.Model from -> new From.Model(names.apply(from.model()));
                            case From.Token from -> new From.Token(names.apply(from.model()), from.token());
                            case From.Row from -> new From.Row(names.apply(from.model()), from.row());
                            case From.Zero zero -> zero;
                        },
                        choice.force())));
        return new TokenizerConfig(source, renamed, padToMultipleOf);
    }
}
