package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// How many rows of the embedding and the head are words, and why the others are padding.
///
/// Megatron-LM rounds the vocabulary up to a multiple of `make_vocab_size_divisible_by` times the
/// tensor-parallel size.
final class Vocabulary {
    /// Where nothing says what the vocabulary was rounded up to: 128 times 64 ranks.
    private static final long LARGEST_ROUNDING = 8192;

    private final ModelConfig config;
    private final TrainingArgs args;
    private final List<Note> notes = new ArrayList<>();

    Vocabulary(ModelConfig config, TrainingArgs args) {
        this.config = config;
        this.args = args;
    }

    /// What was cut and why.
    List<Note> notes() {
        return List.copyOf(notes);
    }

    /// The rows of `tensor` that are words.
    ///
    /// **Errors.** [Fault] `K3101` if it has fewer rows than words, or more than padding explains.
    long rows(MegatronTensor tensor) {
        long rows = tensor.spec().shape().dim(0);
        if (config.vocabulary().isEmpty()) {
            notes.add(Note.information(tensor.name() + ": all " + rows
                    + " rows are kept, padding too if there is any: the size of the vocabulary is not known"));
            return rows;
        }
        long words = config.vocabulary().get();
        if (words > rows) {
            throw misfit(tensor, rows, words, "a vocabulary is never larger than its embedding");
        }
        if (words < rows) {
            notes.add(Note.information(tensor.name() + ": " + (rows - words) + " rows of padding cut, " + words + " of "
                    + rows + " kept: " + proof(tensor, rows, words)));
        }
        return words;
    }

    private String proof(MegatronTensor tensor, long rows, long words) {
        Optional<Long> padded = args.number("padded_vocab_size");
        if (padded.isPresent() && padded.get() != rows) {
            throw misfit(tensor, rows, words, "the checkpoint's args say padded_vocab_size " + padded.get());
        }
        Optional<Long> divisor = args.number("make_vocab_size_divisible_by");
        if (divisor.isPresent()) {
            long multiple =
                    Math.multiplyExact(divisor.get(), args.tensorParallel().orElse(1L));
            if (Math.ceilDiv(words, multiple) * multiple == rows) {
                return rows + " is " + words + " rounded up to a multiple of " + multiple;
            }
        }
        if (padded.isPresent()) {
            return "the checkpoint's args say padded_vocab_size " + padded.get();
        }
        if (rows - words >= LARGEST_ROUNDING) {
            throw misfit(tensor, rows, words, "that is more than rounding up explains");
        }
        return "config.json says vocab_size " + words;
    }

    private static Fault misfit(MegatronTensor tensor, long rows, long words, String why) {
        return new Fault(
                Code.K3101,
                tensor.name() + " has " + rows + " rows, the vocabulary " + words + " words",
                why,
                "check that config.json belongs to this checkpoint");
    }
}
