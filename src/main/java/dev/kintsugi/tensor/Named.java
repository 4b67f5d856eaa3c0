package dev.kintsugi.tensor;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A value of each name of a map, made when it is asked for: there may be a million names, and few are looked at.
///
/// It follows the map as names come and go.
public final class Named<V> extends AbstractMap<String, V> {
    private final Map<String, ?> names;
    private final Function<String, V> value;

    /// `value` of each of the keys of `names`.
    public Named(Map<String, ?> names, Function<String, V> value) {
        this.names = names;
        this.value = value;
    }

    @Override
    public @Nullable V get(@Nullable Object name) {
        return name instanceof String text && names.containsKey(text) ? value.apply(text) : null;
    }

    @Override
    public boolean containsKey(@Nullable Object name) {
        return names.containsKey(name);
    }

    @Override
    public Set<Map.Entry<String, V>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public Iterator<Map.Entry<String, V>> iterator() {
                return names.keySet().stream()
                        .map(name -> Map.entry(name, value.apply(name)))
                        .iterator();
            }

            @Override
            public int size() {
                return names.size();
            }
        };
    }
}
