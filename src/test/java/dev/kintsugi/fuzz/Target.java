package dev.kintsugi.fuzz;

import java.util.List;

/// Something that reads bytes of strangers.
///
/// @param name what a person calls it
/// @param cost how many times longer an input takes than one in memory, roughly
/// @param seeds inputs to begin with, sound ones
/// @param kept inputs found before, as [Kept] has them
/// @param words bytes that mean something to it, put in here and there
/// @param reader reads one input; a [dev.kintsugi.fault.Fault] is an answer, any other exception a bug
public record Target(String name, int cost, List<byte[]> seeds, List<byte[]> kept, List<byte[]> words, Reader reader) {
    /// Reads one input.
    @FunctionalInterface
    public interface Reader {
        void read(byte[] input) throws Exception;
    }

    public Target {
        seeds = List.copyOf(seeds);
        kept = List.copyOf(kept);
        words = List.copyOf(words);
        if (seeds.isEmpty()) {
            throw new IllegalArgumentException(name + " has no seeds");
        }
    }
}
