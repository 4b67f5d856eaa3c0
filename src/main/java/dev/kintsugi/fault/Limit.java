package dev.kintsugi.fault;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Supplier;

/// How much a file may ask for before it is refused: all limits there are.
///
/// A limit is the process's, as the size of the heap is, so that the readers deep below need not be handed it.
/// Any thread may ask; one at a time may change.
public enum Limit {
    PICKLE_BYTES(256L << 20, Limit.ARRAY, "bytes of one pickle"),
    PICKLE_OPCODES(200_000_000, Long.MAX_VALUE, "opcodes of one pickle"),
    PICKLE_STACK(20_000_000, Limit.ARRAY, "values, and marks, on the stack of a pickle at once"),
    PICKLE_MEMO(20_000_000, Limit.ARRAY, "memo slots that a pickle writes"),
    PICKLE_STRING(256L << 20, Limit.ARRAY, "bytes of one text or byte string in a pickle"),
    INTEGER_BYTES(1024, 1 << 20, "bytes of one whole number in a pickle"),
    NUMBER_DIGITS(4300, 1 << 16, "characters of one number written as text in a pickle, as many as Python reads"),
    TENSORS(10_000_000, Limit.ARRAY, "tensors of one file"),
    DIMS(64, 1024, "dims of one tensor"),
    DICT_DEPTH(64, 256, "dicts within dicts of one state dict"),
    NAME_CHARACTERS(1L << 28, Long.MAX_VALUE, "characters of all names of one file of torch.save"),
    ZIP_ENTRIES(4_000_000, Limit.ARRAY, "entries of one zip archive"),
    ZIP_DIRECTORY(512L << 20, Limit.ARRAY, "bytes of the directory of one zip archive"),
    INFLATED_BYTES(
            1L << 30, Long.MAX_VALUE, "bytes of all deflated records of one archive; stored ones are not limited"),
    HEADER_BYTES(100_000_000, Limit.ARRAY, "bytes of the header of one safetensors file, as the reference has it"),
    INDEX_BYTES(100_000_000, Limit.ARRAY, "bytes of one index of a directory"),
    JSON_BYTES(16L << 20, Limit.ARRAY, "bytes of one config.json or other JSON beside the weights"),
    JSON_DEPTH(32, 500, "objects and arrays within one another, in any JSON"),
    RANKS(1 << 20, 1 << 24, "ranks of one checkpoint or device mesh"),
    DIRECTORIES(10_000, Limit.ARRAY, "directories looked through for a checkpoint"),
    TOKENIZER_BYTES(256L << 20, Limit.ARRAY, "bytes of one tokenizer.json, where its tokens are looked up"),
    RECIPE_BYTES(4L << 20, Limit.ARRAY, "bytes of one recipe"),
    RECIPE_DEPTH(16, 64, "recipes that run one another"),
    MERGE_FILE_BYTES(1L << 20, Limit.ARRAY, "bytes of one merge configuration"),
    WORKSPACE_BYTES(64L << 20, Limit.ARRAY, "bytes of a workspace's own files");

    /// What the longest array holds.
    private static final long ARRAY = Integer.MAX_VALUE - 8L;

    private static final AtomicLongArray NOW =
            new AtomicLongArray(Arrays.stream(values()).mapToLong(l -> l.usual).toArray());

    private final long usual;
    private final long most;
    private final String about;

    Limit(long usual, long most, String about) {
        this.usual = usual;
        this.most = most;
        this.about = about;
    }

    /// What a person calls it: `pickle-opcodes`.
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// The limit called `label`.
    public static Optional<Limit> parse(String label) {
        return Arrays.stream(values()).filter(l -> l.label().equals(label)).findFirst();
    }

    /// What it counts.
    public String about() {
        return about;
    }

    /// What it is when nobody changed it.
    public long usual() {
        return usual;
    }

    /// The most it can be set to.
    public long most() {
        return most;
    }

    /// What it is now.
    public long value() {
        return NOW.get(ordinal());
    }

    /// The same where it is at most what an array holds.
    public int intValue() {
        return Math.toIntExact(value());
    }

    /// Changes it. **Errors.** [IllegalArgumentException] below 1 and beyond [#most()].
    public void set(long value) {
        if (value < 1 || value > most) {
            throw new IllegalArgumentException(label() + " cannot be " + value);
        }
        NOW.set(ordinal(), value);
    }

    /// Makes it what it usually is.
    public void reset() {
        NOW.set(ordinal(), usual);
    }

    /// Runs `task` with other limits, then has them as before.
    public static <T> T during(Map<Limit, Long> other, Supplier<T> task) {
        Map<Limit, Long> before = new EnumMap<>(Limit.class);
        other.keySet().forEach(l -> before.put(l, l.value()));
        try {
            other.forEach(Limit::set);
            return task.get();
        } finally {
            before.forEach(Limit::set);
        }
    }

    /// Refuses `amount` beyond it; `what` says of what, and where.
    ///
    /// **Errors.** [Fault] `code`.
    public void check(long amount, Code code, Supplier<String> what) {
        if (amount > value()) {
            throw beyond(code, what.get());
        }
    }

    /// Refuses `file` if it has more bytes, or is a pipe or device, whose bytes cannot be told beforehand.
    ///
    /// **Errors.** [Fault] `code`; [IOException] for what is no regular file.
    public void checkSize(Path file, Code code) throws IOException {
        if (!Files.isRegularFile(file) && Files.exists(file)) {
            throw new IOException("not a regular file");
        }
        long bytes = Files.size(file);
        check(bytes, code, () -> file + " has " + bytes + " bytes");
    }

    /// What to type to allow more.
    public String more() {
        return "--limit " + label() + "=NUMBER, or for all commands: set limit." + label() + " NUMBER";
    }

    /// What is thrown for more than it allows; `what` says what was asked for, and where.
    public Fault beyond(Code code, String what) {
        return new Fault(
                code,
                what + ", the limit is " + value(),
                "a sound file asks for far less; limits keep a damaged or hostile one from filling the memory",
                "if you trust the file, allow more: " + more());
    }
}
