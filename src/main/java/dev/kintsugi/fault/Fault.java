package dev.kintsugi.fault;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Something that stops a command, with the place in it.
///
/// [#getMessage()] is what happened and where (file, rank, tensor, numbers with units); [#why()] the likely cause;
/// [#next()] the command to try. Each is one sentence or two without a trailing full stop.
public final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Code code;
    private final String why;
    private final String next;

    public Fault(Code code, String what, String why, String next) {
        this(code, what, why, next, null);
    }

    public Fault(Code code, String what, String why, String next, @Nullable Throwable cause) {
        super(what, cause);
        this.code = Objects.requireNonNull(code);
        this.why = Objects.requireNonNull(why);
        this.next = Objects.requireNonNull(next);
    }

    public Code code() {
        return code;
    }

    public Status status() {
        return code.status();
    }

    public String what() {
        return Objects.requireNonNullElse(getMessage(), "");
    }

    public String why() {
        return why;
    }

    public String next() {
        return next;
    }

    /// The same fault with its place put before it, as in `model_world_size_8_rank_3.pt: …`.
    public Fault at(String place) {
        return new Fault(code, place + ": " + what(), why, next, this);
    }
}
