package dev.kintsugi.architecture;

import dev.kintsugi.tensor.Tensor;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The origin of each tensor. Kept are those that say more than that a tensor has its name in the files too: a model
/// may have a million of the others.
final class Origins extends AbstractMap<String, Origin> {
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

    /// How many tensors have a name that is in none of the files.
    int renamed() {
        int renamed = 0;
        for (Map.Entry<String, Origin> entry : kept.entrySet()) {
            boolean present = tensors.containsKey(entry.getKey());
            renamed += present && !entry.getValue().stored().contains(entry.getKey()) ? 1 : 0;
        }
        return renamed;
    }

    private Origin of(String name) {
        Origin origin = kept.get(name);
        return origin == null ? new Origin(List.of(name), List.of()) : origin;
    }

    @Override
    public @Nullable Origin get(@Nullable Object name) {
        return name instanceof String text && tensors.containsKey(text) ? of(text) : null;
    }

    @Override
    public boolean containsKey(@Nullable Object name) {
        return tensors.containsKey(name);
    }

    @Override
    public Set<Map.Entry<String, Origin>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public Iterator<Map.Entry<String, Origin>> iterator() {
                return tensors.keySet().stream()
                        .map(name -> Map.entry(name, of(name)))
                        .iterator();
            }

            @Override
            public int size() {
                return tensors.size();
            }
        };
    }
}
