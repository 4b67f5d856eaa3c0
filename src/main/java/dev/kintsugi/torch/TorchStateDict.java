package dev.kintsugi.torch;

import dev.kintsugi.fault.Fault;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.SequencedMap;

/// The state dict a file of `torch.save` holds: its values by name, in the order of the file.
///
/// A state dict under one of the keys `state_dict`, `model_state_dict`, `model` or `module` of the outer dict is
/// found too; nested dicts are joined by dots.
public record TorchStateDict(SequencedMap<String, TorchValue> values) {
    private static final List<String> WRAPPERS = List.of("state_dict", "model_state_dict", "model", "module");

    /// Reads the root of `file`, which rank `rank` wrote.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K2204` if the root is no dict, or a tensor in it is not sound.
    public static TorchStateDict read(TorchFile file, OptionalInt rank) {
        Dict root = entries(file.root());
        TorchReader reader = new TorchReader(file, rank);
        SequencedMap<String, TorchValue> values = new LinkedHashMap<>();
        collect(reader, "", unwrap(reader, root), values);
        return new TorchStateDict(values);
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

    private static void collect(TorchReader reader, String prefix, Dict dict, SequencedMap<String, TorchValue> into) {
        for (int i = 0; i < dict.size(); i++) {
            String name = prefix + name(dict.keys().get(i));
            PickleValue value = dict.values().get(i);
            if (isDict(value) && prefix.length() < 4096) {
                collect(reader, name + ".", entries(value), into);
                continue;
            }
            try {
                into.put(name, reader.read(value));
            } catch (Fault e) {
                throw e.at(name);
            }
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

    /// The entries of a dict or an `OrderedDict`. **Errors.** [dev.kintsugi.fault.Fault] `K2204` for anything else.
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
