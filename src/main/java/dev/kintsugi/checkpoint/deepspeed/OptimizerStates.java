package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// What a `*_optim_states.pt` says.
///
/// @param rank the data parallel rank that wrote it
/// @param split stage 3: `flats` are sub groups, of pieces of parameters; else they are partitions, one a group
/// @param stage 1, 2 or 3, where the file says so: stage 1 with accumulation in `F32` does not
/// @param flats the 1-D masters
/// @param partitionCount how many ranks share the groups
/// @param base the optimizer's own state dict: `state` and `param_groups`
record OptimizerStates(
        int rank,
        MappedFile file,
        boolean split,
        OptionalInt stage,
        List<StridedTensor> flats,
        OptionalInt partitionCount,
        Optional<Dict> base,
        TorchReader reader) {
    private static final String PARTITIONS = "single_partition_of_fp32_groups";
    private static final String SUB_GROUPS = "fp32_flat_groups";

    /// Reads `file`, which data parallel rank `rank` wrote.
    ///
    /// **Errors.** [Fault] `K2204` for another layout, `K4012` for one of versions before 0.4.
    static OptimizerStates read(MappedFile file, int rank) {
        try {
            TorchFile torch = TorchFile.open(file);
            return read(file, rank, torch);
        } catch (Fault fault) {
            throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
        }
    }

    private static OptimizerStates read(MappedFile file, int rank, TorchFile torch) {
        Dict root = Pickled.entries(torch.root(), "a file of optimizer states");
        TorchReader reader = new TorchReader(torch, OptionalInt.empty());
        Dict state = Pickled.entries(
                Pickled.require(root, "a file of optimizer states", "optimizer_state_dict"), "optimizer_state_dict");
        boolean split = Pickled.field(state, SUB_GROUPS).isPresent();
        Optional<PickleValue> flats = Pickled.field(state, split ? SUB_GROUPS : PARTITIONS);
        if (flats.isEmpty()) {
            throw new Fault(
                    Code.K4012,
                    "neither " + PARTITIONS + " nor " + SUB_GROUPS + " in it",
                    "DeepSpeed before 0.4 laid its partitions out otherwise, and other optimizers than ZeRO's too",
                    "load it with the DeepSpeed that wrote it and save it again with a newer one");
        }
        Optional<PickleValue> stage = Pickled.field(state, "zero_stage");
        Optional<PickleValue> base = Pickled.field(state, split ? "optimizer_state_dict" : "base_optimizer_state");
        return new OptimizerStates(
                rank,
                file,
                split,
                stage.isPresent() ? stage(stage.get()) : OptionalInt.empty(),
                Pickled.items(flats.get(), "the flat groups").stream()
                        .map(v -> flat(reader, v))
                        .toList(),
                partitionCount(state),
                base.flatMap(Pickled::dict),
                reader);
    }

    private static StridedTensor flat(TorchReader reader, PickleValue value) {
        if (reader.read(value) instanceof TorchValue.Plain plain
                && plain.tensor().spec().shape().ndim() == 1) {
            return plain.tensor();
        }
        throw Pickled.fault("a flat group that is no 1-D tensor but " + Pickled.describe(value));
    }

    private static OptionalInt partitionCount(Dict state) {
        Optional<PickleValue> count = Pickled.field(state, "partition_count");
        if (count.isEmpty()) {
            return OptionalInt.empty();
        }
        List<Long> counts = count.get() instanceof PickleValue.Int
                ? List.of(Pickled.number(count.get(), "partition_count"))
                : Pickled.items(count.get(), "partition_count").stream()
                        .map(c -> Pickled.number(c, "a partition count"))
                        .distinct()
                        .toList();
        if (counts.isEmpty()) {
            return OptionalInt.empty();
        }
        if (counts.size() > 1) {
            throw new Fault(
                    Code.K4012,
                    "groups shared by " + counts + " ranks",
                    "experts are shared by fewer ranks than the rest: expert parallelism",
                    "gather the model in the training job");
        }
        if (counts.getFirst() < 1 || counts.getFirst() > 10_000_000) {
            throw Pickled.fault("a partition count of " + counts.getFirst());
        }
        return OptionalInt.of(Math.toIntExact(counts.getFirst()));
    }

    /// A stage as newer versions write it (an enum) or as older ones do (a number).
    static OptionalInt stage(PickleValue value) {
        PickleValue number = value instanceof Call call && call.path().endsWith(".ZeroStageEnum")
                ? Pickled.argument(call, 0)
                : value;
        return number instanceof PickleValue.Int
                ? OptionalInt.of(Math.clamp(Pickled.number(number, "the stage"), 0, 99))
                : OptionalInt.empty();
    }
}
