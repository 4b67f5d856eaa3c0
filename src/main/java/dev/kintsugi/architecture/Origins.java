package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Named;
import dev.kintsugi.tensor.Tensor;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The origin of each tensor. Kept are those that say more than that a tensor has its name in the files too: a model
/// may have a million of the others.
final class Origins {
    private final Map<String, Tensor> tensors;
    private final Map<String, Origin> kept = new HashMap<>();

    /// The origins of `tensors`, which may be added to and taken from.
    Origins(Map<String, Tensor> tensors) {
        this.tensors = tensors;
    }

    /// Says where the tensor `name` comes from.
    void say(String name, Origin origin) {
        if (origin.isOnly(name)) {
            kept.remove(name);
        } else {
            kept.put(name, origin);
        }
    }

    /// Where the tensor `name` comes from.
    Origin of(String name) {
        Origin origin = kept.get(name);
        return origin == null ? new Origin(List.of(name), List.of()) : origin;
    }

    /// The origin of every tensor there is, by its name.
    Map<String, Origin> all() {
        return Collections.unmodifiableMap(new Named<>(tensors, this::of));
    }

    /// How many tensors have a name that is in none of the files.
    int renamed() {
        int renamed = 0;
        for (Map.Entry<String, Origin> entry : kept.entrySet()) {
            boolean present = tensors.containsKey(entry.getKey());
            renamed += present && !entry.getValue().stored().contains(entry.getKey()) ? 1 : 0;
        }
        return renamed;
    }
}
