package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;

/// The state dict a file of `torch.save` holds: its values by name, in the order of the file.
///
/// A state dict under one of the keys `state_dict`, `model_state_dict`, `model` or `module` of the outer dict
/// is found too; nested dicts are joined by dots.
///
/// `opaqueCalls` is what [TorchFile#opaqueCalls()] says.
public record TorchStateDict(SequencedMap<String, TorchValue> values, List<String> opaqueCalls) {
    private static final List<String> WRAPPERS = List.of("state_dict", "model_state_dict", "model", "module");

    /// Reads the root of `file`, which rank `rank` wrote.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K2204` if the root is no dict, or a tensor in it is not sound.
    public static TorchStateDict read(TorchFile file, OptionalInt rank) {
        Dict root = entries(file.root());
        TorchReader reader = new TorchReader(file, rank);
        Walk walk = new Walk(reader, new LinkedHashMap<>());
        walk.collect("", unwrap(reader, root));
        return new TorchStateDict(walk.values, file.opaqueCalls());
    }

    private static Dict unwrap(TorchReader reader, Dict root) {
        boolean tensors = root.values().stream().anyMatch(v -> !(reader.read(v) instanceof TorchValue.Other));
        if (!tensors) {
            for (String wrapper : WRAPPERS) {
                PickleValue inner = root.get(wrapper).orElse(PickleValue.None.INSTANCE);
                if (isDict(inner)) {
                    return entries(inner);
                }
            }
        }
        return root;
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
            if (!dict.repeated().isEmpty()) {
                throw Pickled.twice(dict.repeated());
            }
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
            TorchValue read;
            try {
                read = reader.read(value);
            } catch (Fault e) {
                throw e.at(name);
            }
            if (values.put(name, read) != null) {
                throw Pickled.twice(Set.of(name));
            }
            Limit.TENSORS.check(values.size(), Code.K2202, () -> "the file holds more tensors than allowed");
        }
    }

    private static String name(PickleValue key) {
        return key instanceof Text text ? text.value() : Pickled.describe(key);
    }

    /// Whether `value` is a dict or an `OrderedDict`.
    public static boolean isDict(PickleValue value) {
        return value instanceof Dict
                || (value instanceof Call call && call.path().equals("collections.OrderedDict"));
    }

    /// The entries of a dict or an `OrderedDict`. **Errors.** [dev.kintsugi.fault.Fault] `K2204` for anything
    /// else.
    public static Dict entries(PickleValue value) {
        if (value instanceof Dict dict) {
            return dict;
        }
        if (value instanceof Call call && call.path().equals("collections.OrderedDict")) {
            return call.items();
        }
        throw Pickled.fault("the file holds " + Pickled.describe(value) + ", not a state dict");
    }
}
