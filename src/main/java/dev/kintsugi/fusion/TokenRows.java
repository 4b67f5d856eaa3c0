package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;

/// Gives embeddings and heads of models with different tokens the rows of one vocabulary.
///
/// A row is that of the token in the model itself. Where the model lacks the token, it is what the
/// configuration says for it, else that of the base, else that of the only owner, else the mean of the owners'.
/// Rows of no token are the mean of the others.
///
/// @param ids the number of each token of the result
/// @param vocabularies the number of each token of each model, by the model's name
/// @param base the model whose rows are preferred
/// @param config what is said of single tokens and of padding
public record TokenRows(
        SequencedMap<String, Long> ids,
        Map<String, ? extends Map<String, Long>> vocabularies,
        Optional<String> base,
        TokenizerConfig config) {

    /// How many rows the result's embedding has.
    public long rows() {
        long tokens = ids.values().stream().mapToLong(Long::longValue).max().orElse(-1) + 1;
        long multiple = config.padToMultipleOf().orElse(1);
        return Math.multiplyExact(Math.ceilDiv(tokens, multiple), multiple);
    }

    /// The models with every tensor that has a row for each token made anew, as promises.
    ///
    /// **Errors.** [Fault] `K7003` for a token that no model has a row for, and where a token is to come from a
    /// model that lacks it.
    SequencedMap<String, StateDict> over(SequencedMap<String, StateDict> models) {
        SequencedMap<String, Map<String, Tensor>> changed = new LinkedHashMap<>();
        models.forEach((name, model) -> changed.put(name, new LinkedHashMap<>(model.tensors())));
        models.firstEntry().getValue().tensors().forEach((tensor, spec) -> {
            if (Layers.isVocabulary(tensor, spec.spec())
                    && models.values().stream().allMatch(m -> m.has(tensor))) {
                SequencedMap<String, Tensor> old = new LinkedHashMap<>();
                models.forEach((name, model) -> old.put(name, model.tensor(tensor)));
                RowSources sources = new Assignment(tensor, old).sources();
                changed.forEach((name, tensors) -> tensors.put(
                        tensor, new RowTensor(Objects.requireNonNull(old.get(name)), own(name, old), sources, rows())));
            }
        });
        SequencedMap<String, StateDict> result = new LinkedHashMap<>();
        changed.forEach((name, tensors) -> result.put(name, StateDict.of(tensors)));
        return result;
    }

    /// For each row of the result the model's own row, or -1 where another's is taken.
    private int[] own(String model, Map<String, Tensor> tensors) {
        int[] own = new int[Math.toIntExact(rows())];
        Arrays.fill(own, -1);
        ids.forEach((token, id) -> {
            TokenizerConfig.Choice choice = config.tokens().get(token);
            if (choice == null || !choice.force()) {
                own[Math.toIntExact(id)] = row(model, token, tensors);
            }
        });
        return own;
    }

    /// The row of `token` in `model`, -1 where it has none.
    private int row(String model, String token, Map<String, Tensor> tensors) {
        Tensor tensor = Objects.requireNonNull(tensors.get(model));
        Long id = Objects.requireNonNull(vocabularies.get(model)).get(token);
        return id == null || id >= tensor.spec().shape().dim(0) ? -1 : Math.toIntExact(id);
    }

    /// Finds for each token whose row is taken where a model lacks it.
    private final class Assignment {
        private final String name;
        private final SequencedMap<String, Tensor> tensors;
        private final List<String> models;

        Assignment(String name, SequencedMap<String, Tensor> tensors) {
            this.name = name;
            this.tensors = tensors;
            this.models = List.copyOf(tensors.keySet());
        }

        RowSources sources() {
            int[] donor = new int[Math.toIntExact(rows())];
            int[] row = new int[donor.length];
            Arrays.fill(donor, RowSources.UNUSED);
            Map<Integer, int[]> owners = new HashMap<>();
            List<String> nowhere = new ArrayList<>();
            ids.forEach((token, id) -> {
                int at = Math.toIntExact(id);
                int[] rows =
                        models.stream().mapToInt(m -> row(m, token, tensors)).toArray();
                long having = Arrays.stream(rows).filter(r -> r >= 0).count();
                Optional<TokenizerConfig.From> said =
                        Optional.ofNullable(config.tokens().get(token)).map(TokenizerConfig.Choice::from);
                int preferred = base.map(models::indexOf).orElse(-1);
                if (said.isPresent()) {
                    take(token, said.get(), at, donor, row);
                } else if (having == 0) {
                    nowhere.add(token);
                } else if (having == 1 || (preferred >= 0 && rows[preferred] >= 0)) {
                    donor[at] = having == 1 ? firstOf(rows) : preferred;
                    row[at] = rows[donor[at]];
                } else {
                    donor[at] = RowSources.MEAN;
                    owners.put(at, rows);
                }
            });
            if (!nowhere.isEmpty()) {
                throw new Fault(
                        Code.K7003,
                        name + ": no model has a row for " + nowhere.size() + " of the tokens: "
                                + String.join(" ", nowhere.subList(0, Math.min(5, nowhere.size()))),
                        "their numbers lie beyond the rows of the models whose tokenizers have them",
                        "say for each what it is to be, as in tokens: {\"" + nowhere.getFirst()
                                + "\": {source: {kind: zero}}}");
            }
            return new RowSources(List.copyOf(tensors.values()), donor, row, owners);
        }

        private static int firstOf(int[] rows) {
            int at = 0;
            while (rows[at] < 0) {
                at++;
            }
            return at;
        }

        private void take(String token, TokenizerConfig.From from, int at, int[] donor, int[] row) {
            switch (from) {
                case TokenizerConfig.From.Zero _ -> donor[at] = RowSources.ZERO;
                case TokenizerConfig.From.Model model -> take(model.model(), token, at, donor, row);
                case TokenizerConfig.From.Token other -> take(other.model(), other.token(), at, donor, row);
                case TokenizerConfig.From.Row other -> {
                    donor[at] = donor(other.model());
                    row[at] = Math.toIntExact(other.row());
                    long rows = Objects.requireNonNull(tensors.get(other.model()))
                            .spec()
                            .shape()
                            .dim(0);
                    if (other.row() >= rows) {
                        throw new Fault(
                                Code.K7003,
                                name + " of " + other.model() + " has no row " + other.row() + " for the token "
                                        + token,
                                "it has " + rows + " rows",
                                "give a token_id within them");
                    }
                }
            }
        }

        private void take(String model, String token, int at, int[] donor, int[] row) {
            donor[at] = donor(model);
            row[at] = row(model, token, tensors);
            if (row[at] < 0) {
                throw new Fault(
                        Code.K7003,
                        name + " of " + model + " has no row for the token " + token,
                        "the configuration takes it from there",
                        "take it from a model that has it: see its tokenizer.json");
            }
        }

        private int donor(String model) {
            int at = models.indexOf(model);
            if (at < 0) {
                throw new Fault(
                        Code.K7003,
                        name + " is not merged of " + model + ", whose row is to be taken",
                        "it is merged of " + String.join(", ", models),
                        "name one of them");
            }
            return at;
        }
    }
}
