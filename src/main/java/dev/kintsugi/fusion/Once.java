package dev.kintsugi.fusion;

import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A value made at its first use, once, however many threads ask. A failure is not kept: the next use tries
/// again.
final class Once<T> {
    private final Supplier<T> source;
    private final ReentrantLock lock = new ReentrantLock();
    private volatile @Nullable T value;

    Once(Supplier<T> source) {
        this.source = source;
    }

    T get() {
        T known = value;
        if (known != null) {
            return known;
        }
        lock.lock();
        try {
            known = value;
            if (known == null) {
                known = source.get();
                value = known;
            }
            return known;
        } finally {
            lock.unlock();
        }
    }
}
