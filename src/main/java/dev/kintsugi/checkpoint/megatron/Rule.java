package dev.kintsugi.checkpoint.megatron;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// What becomes of the Megatron tensors of one name: how tensor-parallel ranks split them, how their rows are
/// ordered, and what Hugging Face calls the parts.
///
/// `oneRow` is the name of a head that has one row where the embedding has one per word: the head of a value
/// model.
record Rule(NamePattern from, Split tp, RowOrder rows, List<String> to, Optional<String> oneRow) {
    /// How tensor-parallel ranks hold the tensor.
    enum Split {
        /// Every rank holds all of it.
        SAME,
        /// Rank after rank, whole rows.
        ROWS,
        /// Rank after rank, whole columns.
        COLUMNS,
        /// Not known.
        UNKNOWN
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
                node.path("one-row").asStringOpt());
    }

    private static String constant(String text) {
        return text.toUpperCase(Locale.ROOT).replace('-', '_');
    }
}
