package dev.kintsugi.checkpoint.megatron;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// What becomes of the Megatron tensors of one name: how tensor-parallel ranks split them, how their rows are
/// ordered, and what Hugging Face calls the parts.
///
/// `oneRow` is the name of a head that has one row where the embedding has one per word: the head of a value
/// model. `rowsOf` are keys of `config.json` whose sum is how many rows the whole has; it tells how ranks hold
/// what versions of Megatron hold in two ways.
record Rule(NamePattern from, Split tp, RowOrder rows, List<String> to, Optional<String> oneRow, List<String> rowsOf) {
    /// How tensor-parallel ranks hold the tensor.
    enum Split {
        /// Every rank holds all of it.
        SAME,
        /// Rank after rank, whole rows.
        ROWS,
        /// Rank after rank, whole columns.
        COLUMNS,
        /// Whole rows of it or all of it: [Rule#rowsOf] tells.
        ROWS_OR_SAME
    }

    /// What the rows are.
    enum RowOrder {
        /// As Hugging Face has them.
        WHOLE,
        /// Query group after query group: the queries of the group, one key head, one value head.
        QUERY_GROUPS,
        /// The gate, then as many rows of the up projection; so on each rank too.
        GATE_UP,
        /// One per word, with padding at the end.
        VOCABULARY
    }

    Rule {
        to = List.copyOf(to);
        rowsOf = List.copyOf(rowsOf);
        int parts = switch (rows) {
            case WHOLE, VOCABULARY -> 1;
            case GATE_UP -> 2;
            case QUERY_GROUPS -> 3;
        };
        if (to.size() != parts) {
            throw new IllegalArgumentException(rows + " has " + parts + " parts, not " + to);
        }
    }

    static Rule of(JsonNode node) {
        return new Rule(
                new NamePattern(node.path("from").asString()),
                Split.valueOf(constant(node.path("tp").asString("same"))),
                RowOrder.valueOf(constant(node.path("layout").asString("whole"))),
                node.path("to").valueStream().map(JsonNode::asString).toList(),
                node.path("one-row").asStringOpt(),
                node.path("rows-of").valueStream().map(JsonNode::asString).toList());
    }

    /// How tensor-parallel ranks hold the tensor, where one holds `localRows` of it and all `ways` of them
    /// `config` says how many; nothing where neither way fits.
    Optional<Split> split(long localRows, int ways, ModelConfig config) {
        if (tp != Split.ROWS_OR_SAME) {
            return Optional.of(tp);
        }
        Optional<Long> whole = config.sum(rowsOf);
        if (whole.filter(w -> w == localRows).isPresent()) {
            return Optional.of(Split.SAME);
        }
        return whole.filter(w -> w == Math.multiplyExact(localRows, ways)).map(w -> Split.ROWS);
    }

    private static String constant(String text) {
        return text.toUpperCase(Locale.ROOT).replace('-', '_');
    }
}
