package dev.kintsugi.pickle;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A value of a pickle. Containers are compared by identity, for a pickle may hold cycles.
public sealed interface PickleValue {
    /// `None`.
    record None() implements PickleValue {
        public static final None INSTANCE = new None();
    }

    /// `True` and `False`.
    record Bool(boolean value) implements PickleValue {}

    /// A whole number of any size.
    record Int(BigInteger value) implements PickleValue {
        public static Int of(long value) {
            return new Int(BigInteger.valueOf(value));
        }
    }

    record Real(double value) implements PickleValue {}

    record Text(String value) implements PickleValue {}

    /// Bytes; the array is not copied and must not be changed.
    @SuppressWarnings("ArrayRecordComponent")
    record Bytes(byte[] value) implements PickleValue {}

    /// The name of something importable. Comparable, so that a hash table of names made to collide stays fast.
    final class Global implements PickleValue, Comparable<Global> {
        private final String module;
        private final String name;
        private final String path;

        public Global(String module, String name) {
            this.module = module;
            this.name = name;
            this.path = module + "." + name;
        }

        public String module() {
            return module;
        }

        public String name() {
            return name;
        }

        @Override
        public int compareTo(Global other) {
            int modules = module.compareTo(other.module);
            return modules == 0 ? name.compareTo(other.name) : modules;
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Global that && module.equals(that.module) && name.equals(that.name);
        }

        @Override
        public int hashCode() {
            return 31 * module.hashCode() + name.hashCode();
        }

        /// `torch._utils._rebuild_tensor_v2`.
        public String path() {
            return path;
        }

        @Override
        public String toString() {
            return path;
        }
    }

    /// What `persistent_load` would have been asked for.
    record PersistentId(PickleValue id) implements PickleValue {}

    /// A tuple, complete once it is made.
    final class Tuple implements PickleValue {
        private final List<PickleValue> items;

        public Tuple(List<PickleValue> items) {
            this.items = List.copyOf(items);
        }

        public List<PickleValue> items() {
            return items;
        }
    }

    /// A list, a set or a frozen set: what is appended to or added to.
    final class Sequence implements PickleValue {
        /// Which of the three; what is added to the one is an error of the other.
        public enum Kind {
            LIST,
            SET,
            FROZEN_SET
        }

        private final Kind kind;
        private final List<PickleValue> items = new ArrayList<>();

        public Sequence(Kind kind) {
            this.kind = kind;
        }

        public Kind kind() {
            return kind;
        }

        public List<PickleValue> items() {
            return items;
        }
    }

    /// A dict, in the order of its first insertions; a text key set twice keeps the later value.
    final class Dict implements PickleValue {
        private final List<PickleValue> keys = new ArrayList<>();
        private final List<PickleValue> values = new ArrayList<>();
        private final Map<String, Integer> textKeys = new HashMap<>();
        private Set<String> repeated = Set.of();

        public List<PickleValue> keys() {
            return keys;
        }

        /// Text keys that were set more than once.
        public Set<String> repeated() {
            return repeated;
        }

        public List<PickleValue> values() {
            return values;
        }

        public int size() {
            return keys.size();
        }

        public Optional<PickleValue> get(String key) {
            return Optional.ofNullable(textKeys.get(key)).map(values::get);
        }

        void put(PickleValue key, PickleValue value) {
            if (key instanceof Text text) {
                Integer known = textKeys.putIfAbsent(text.value(), keys.size());
                if (known != null) {
                    repeated = repeated.isEmpty() ? new LinkedHashSet<>() : repeated;
                    repeated.add(text.value());
                    values.set(known, value);
                    return;
                }
            }
            keys.add(key);
            values.add(value);
        }
    }

    /// Something that Python would have called: `REDUCE`, `NEWOBJ`, `NEWOBJ_EX`, `INST` or `OBJ`, with what
    /// was done to the result: the states given to `BUILD`, items set, items appended.
    final class Call implements PickleValue {
        private final PickleValue callable;
        private final PickleValue arguments;
        private final List<PickleValue> states = new ArrayList<>(1);
        private final Dict items = new Dict();
        private final List<PickleValue> appended = new ArrayList<>(0);

        public Call(PickleValue callable, PickleValue arguments) {
            this.callable = callable;
            this.arguments = arguments;
        }

        public PickleValue callable() {
            return callable;
        }

        public PickleValue arguments() {
            return arguments;
        }

        /// What `BUILD` was given, in order.
        public List<PickleValue> states() {
            return states;
        }

        /// What `SETITEM` was given.
        public Dict items() {
            return items;
        }

        /// What `APPEND` was given.
        public List<PickleValue> appended() {
            return appended;
        }

        /// The dotted name of what would be called, or `?`.
        public String path() {
            return callable instanceof Global global ? global.path() : "?";
        }
    }
}
