package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedMap;

/// One `model_optim_rng.pt`: what one model-parallel rank saved.
///
/// @param directory the name of its directory, such as `mp_rank_01_000`
/// @param args the job's arguments
/// @param iteration the training step, 0 where it is not said
/// @param chunks the state dict, or one per virtual stage, under the names in the file
/// @param ignored entries that are no weights, by name
record LegacyShard(
        MpRank directory,
        MappedFile file,
        TrainingArgs args,
        long iteration,
        List<SequencedMap<String, StridedTensor>> chunks,
        List<String> ignored) {
    private static final int MAX_CHUNKS = 4096;
    private static final int MAX_DEPTH = 32;

    /// Reads `file`.
    ///
    /// **Errors.** [Fault] `K4012` for a checkpoint version before 2, `K2204` where the file holds no
    /// Megatron model.
    static LegacyShard read(MpRank directory, MappedFile file, Names names) {
        TorchFile torch = TorchFile.open(directory.name() + "/" + file.name(), file, 0, file.byteCount());
        try {
            return read(directory, file, torch, names);
        } catch (Fault fault) {
            throw fault.what().startsWith(directory.name()) ? fault : fault.at(torch.place());
        }
    }

    private static LegacyShard read(MpRank directory, MappedFile file, TorchFile torch, Names names) {
        Dict root = TorchStateDict.entries(torch.root());
        checkVersion(root);
        Flattening flattening = new Flattening(new TorchReader(torch, OptionalInt.empty()), names);
        List<SequencedMap<String, StridedTensor>> chunks = new ArrayList<>();
        List<String> taken = new ArrayList<>(List.of("args", "checkpoint_version", "iteration"));
        if (root.get("model").isPresent()) {
            chunks.add(flattening.flatten(root.get("model").get()));
            taken.add("model");
        }
        for (int i = 0; i < MAX_CHUNKS && root.get("model" + i).isPresent(); i++) {
            chunks.add(flattening.flatten(root.get("model" + i).get()));
            taken.add("model" + i);
        }
        if (chunks.isEmpty()) {
            throw Pickled.fault("a Megatron file without model or model0");
        }
        for (PickleValue key : root.keys()) {
            if (key instanceof PickleValue.Text text && !taken.contains(text.value())) {
                flattening.ignored.add(text.value());
            }
        }
        return new LegacyShard(
                directory,
                file,
                root.get("args").map(TrainingArgs::of).orElse(TrainingArgs.UNKNOWN),
                Pickled.field(root, "iteration")
                        .map(i -> Pickled.number(i, "the iteration"))
                        .orElse(0L),
                chunks,
                flattening.ignored);
    }

    /// What tells the names of virtual stage `chunk` apart from those of others; nothing where there is one.
    String prefix(int chunk) {
        return chunks.size() == 1 ? "" : "model" + chunk + ".";
    }

    private static void checkVersion(Dict root) {
        double version = switch (Pickled.field(root, "checkpoint_version").orElse(PickleValue.None.INSTANCE)) {
            case PickleValue.Real real -> real.value();
            case PickleValue.Int number -> number.value().doubleValue();
            default -> 0;
        };
        if (!(version >= 2)) {
            throw new Fault(
                    Code.K4012,
                    "checkpoint_version " + version,
                    "versions before 2.0 order the rows of query_key_value in another way, which is not read",
                    "load and save it once with a newer Megatron-LM");
        }
    }

    /// Joins the nested dicts of the classic models by dots.
    private static final class Flattening {
        private final TorchReader reader;
        private final Names names;
        private final List<String> ignored = new ArrayList<>();

        Flattening(TorchReader reader, Names names) {
            this.reader = reader;
            this.names = names;
        }

        SequencedMap<String, StridedTensor> flatten(PickleValue model) {
            SequencedMap<String, StridedTensor> tensors = new LinkedHashMap<>();
            collect("", TorchStateDict.entries(model), tensors, 0);
            return tensors;
        }

        private void collect(String prefix, Dict dict, SequencedMap<String, StridedTensor> into, int depth) {
            if (depth > MAX_DEPTH) {
                throw Pickled.fault("dicts nested deeper than " + MAX_DEPTH);
            }
            for (int i = 0; i < dict.size(); i++) {
                String name = prefix + Pickled.text(dict.keys().get(i), "a name");
                PickleValue value = dict.values().get(i);
                if (names.ignores(name) || value instanceof PickleValue.None) {
                    ignored.add(name);
                } else if (TorchStateDict.isDict(value)) {
                    collect(name + ".", TorchStateDict.entries(value), into, depth + 1);
                } else if (reader.read(value) instanceof TorchValue.Plain plain) {
                    into.put(name, plain.tensor());
                } else {
                    throw Pickled.fault(name + " is " + Pickled.describe(value) + ", not a plain tensor");
                }
            }
        }
    }
}
