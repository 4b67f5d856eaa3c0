package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.torch.StridedTensor;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/// Finds out which entries of a module are one tensor, for files that do not say so.
final class SharedStorage {
    private SharedStorage() {}

    /// Another entry that is known and is the same view of the same storage as entry `name`.
    static Optional<String> owner(Map<String, StridedTensor> module, String name, Predicate<String> known) {
        StridedTensor tensor = module.get(name);
        if (tensor == null || tensor.spec().elementCount() == 0) {
            return Optional.empty();
        }
        return module.entrySet().stream()
                .filter(e -> !e.getKey().equals(name) && known.test(e.getKey()) && same(e.getValue(), tensor))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    private static boolean same(StridedTensor one, StridedTensor other) {
        return one.spec().equals(other.spec())
                && one.strides().equals(other.strides())
                && one.byteOffset() == other.byteOffset()
                && one.storage().record().equals(other.storage().record())
                && one.storage().file().equals(other.storage().file());
    }
}
