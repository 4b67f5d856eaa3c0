package dev.kintsugi.tensor;

import java.util.HashMap;
import java.util.Map;

/// Lets equal values share one object: most tensors of a model have the dtype and the shape of others. For one thread.
public final class Alike<T> {
    /// Of more kinds than this, those that came first are shared: a file may be made to have no two alike.
    private static final int MAX_KINDS = 1 << 12;

    private final Map<T, T> kinds = new HashMap<>();

    /// `value`, or the one equal to it that came first.
    public T of(T value) {
        T known = kinds.get(value);
        if (known == null && kinds.size() < MAX_KINDS) {
            kinds.put(value, value);
        }
        return known == null ? value : known;
    }
}
