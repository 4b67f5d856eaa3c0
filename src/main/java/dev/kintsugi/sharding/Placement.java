package dev.kintsugi.sharding;

/// How a tensor lies on one mesh dim.
///
/// **Source.** `torch/distributed/tensor/placement_types.py`.
public sealed interface Placement {
    /// Split along tensor dim `dim` as `torch.chunk` splits.
    record Shard(int dim) implements Placement {
        @Override
        public String toString() {
            return "Shard(" + dim + ")";
        }
    }

    /// Split along tensor dim `dim` after mesh dims to the right, of `splitFactor` ranks together, have split it.
    record StridedShard(int dim, int splitFactor) implements Placement {
        @Override
        public String toString() {
            return "StridedShard(" + dim + ", split_factor=" + splitFactor + ")";
        }
    }

    /// Every rank holds a copy.
    record Replicate() implements Placement {
        @Override
        public String toString() {
            return "Replicate";
        }
    }

    /// Every rank holds a summand of a reduction that was not done: no merge of it is defined.
    record Partial(String reduction) implements Placement {
        @Override
        public String toString() {
            return "Partial(" + reduction + ")";
        }
    }

    /// A placement of another name: refused.
    record Unknown(String name) implements Placement {
        @Override
        public String toString() {
            return name;
        }
    }
}
