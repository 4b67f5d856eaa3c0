package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Remark;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;

/// The state dict a file of `torch.save` holds: its values by name, in the order of the file.
///
/// A state dict under one of the keys `state_dict`, `model_state_dict`, `model` or `module` of the outer dict
/// is found too; nested dicts are joined by dots.
public record TorchStateDict(SequencedMap<String, TorchValue> values) {
    private static final List<String> WRAPPERS = List.of("state_dict", "model_state_dict", "model", "module");

    /// Reads the root of `file`, which rank `rank` wrote.
    ///
    /// **Errors.** [Fault] `K2204` if the root is no dict, or a tensor in it is not sound.
    public static TorchStateDict read(TorchFile file, OptionalInt rank) {
        Dict root = entries(file.root());
        TorchReader reader = new TorchReader(file, rank);
        Walk walk = new Walk(reader, new LinkedHashMap<>());
        walk.collect("", unwrap(reader, root));
        return new TorchStateDict(walk.values);
    }

    private static Dict unwrap(TorchReader reader, Dict root) {
        for (int i = 0; i < root.size(); i++) {
            if (!(read(reader, name(root.keys().get(i)), root.values().get(i)) instanceof TorchValue.Other)) {
                return root;
            }
        }
        for (String wrapper : WRAPPERS) {
            PickleValue inner = root.get(wrapper).orElse(PickleValue.None.INSTANCE);
            if (isDict(inner)) {
                return entries(inner);
            }
        }
        return root;
    }

    private static TorchValue read(TorchReader reader, String name, PickleValue value) {
        try {
            return reader.read(value);
        } catch (Fault fault) {
            // That the file is another rank's is seen at its first tensor and is of all of them.
            throw fault.code() == Code.K3002 ? fault : fault.at(name);
        } catch (ArithmeticException e) {
            throw Pickled.fault("a size or an offset that is larger than any file")
                    .at(name);
        }
    }

    /// One pass over nested dicts, which may hold themselves or one another many times over.
    private static final class Walk {
        private final TorchReader reader;
        private final SequencedMap<String, TorchValue> values;
        private long characters;
        private int depth;

        Walk(TorchReader reader, SequencedMap<String, TorchValue> values) {
            this.reader = reader;
            this.values = values;
        }

        void collect(String prefix, Dict dict) {
            Job.checkCurrent();
            depth++;
            Limit.DICT_DEPTH.check(depth, Code.K2202, () -> "the file holds dicts within dicts, or within themselves");
            for (int i = 0; i < dict.size(); i++) {
                String name = prefix + name(dict.keys().get(i));
                characters += name.length() + 1;
                Limit.NAME_CHARACTERS.check(
                        characters, Code.K2202, () -> "the file holds names of " + characters + " characters and more");
                PickleValue value = dict.values().get(i);
                if (isDict(value)) {
                    collect(name + ".", entries(value));
                } else {
                    put(name, value);
                }
            }
            depth--;
        }

        private void put(String name, PickleValue value) {
            TorchValue read = read(reader, name, value);
            if (values.put(name, read) != null) {
                throw Pickled.twice(Set.of(name));
            }
            if (read instanceof TorchValue.Plain plain && plain.tensor().overlaps()) {
                Job.remark(Remark.OVERLAPPING_VIEW, name);
            }
            if ((values.size() & 0xfff) == 0) {
                Job.checkCurrent();
            }
            Limit.TENSORS.check(values.size(), Code.K2202, () -> "the file holds more tensors than allowed");
        }
    }

    private static String name(PickleValue key) {
        return key instanceof Text text ? text.value() : Pickled.describe(key);
    }

    /// Whether `value` is a dict or an `OrderedDict`.
    public static boolean isDict(PickleValue value) {
        return Pickled.dict(value).isPresent();
    }

    /// The entries of a dict or an `OrderedDict`.
    ///
    /// **Errors.** [Fault] `K4012` for a whole module, `K2204` for anything else.
    public static Dict entries(PickleValue value) {
        return Pickled.dict(value).orElseThrow(() -> isModule(value) ? module(value) : noStateDict(value));
    }

    /// Whether `value` is a `torch.nn.Module`, which keeps the modules in it by this name.
    private static boolean isModule(PickleValue value) {
        return value instanceof Call call
                && call.states().size() == 1
                && call.states().getFirst() instanceof Dict state
                && state.get("_modules").isPresent();
    }

    private static Fault module(PickleValue value) {
        return new Fault(
                Code.K4012,
                "the file holds a whole module, " + Pickled.describe(value) + ", not its state dict",
                "its tensors are spread over objects of classes that are not imported here",
                "save model.state_dict() with torch.save");
    }

    private static Fault noStateDict(PickleValue value) {
        return Pickled.fault("the file holds " + Pickled.describe(value) + ", not a state dict");
    }
}
