package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Note;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Collectors;

/// What is said of calls in a pickle that torch writes for no tensor.
public final class OpaqueCalls {
    private static final int MAX_SHOWN = 3;

    private OpaqueCalls() {}

    /// A note for a person, if there are any. It is a break of what `torch.save` writes of a state dict: with
    /// `weights_only`, as is usual, `torch.load` refuses such a file too.
    public static Optional<Note> note(Collection<String> calls) {
        if (calls.isEmpty()) {
            return Optional.empty();
        }
        String shown = calls.stream().limit(MAX_SHOWN).collect(Collectors.joining(", "));
        int more = calls.size() - Math.min(MAX_SHOWN, calls.size());
        return Optional.of(Note.formatBreak("opaque call " + shown + (more > 0 ? " and " + more + " more" : "")
                + ": torch writes no such call for a tensor; Python would make it on loading, here nothing is called"));
    }
}
