package dev.kintsugi.fusion;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/// Finds places in the order of a tensor's magnitudes exactly, without sorting the tensor.
///
/// A sample spread over the tensor tells between which magnitudes a place lies, most likely; one sweep counts what is
/// above them and collects the different magnitudes between them, with how often each block holds them. A sweep
/// that shows the place elsewhere, or too many magnitudes, is followed by another between narrower bounds.
/// **Memory.** 1 MiB for each stream and place, and at most 12 MiB for magnitudes collected.
final class Selection {
    private static final int BINS = 1 << 17;
    private static final int MOST_COLLECTED = 1 << 19;

    /// Tensors up to this size are collected whole.
    private static final int LEAST_SAMPLED = 1 << 15;

    private static final int MOST_SAMPLES = 1 << 21;
    private static final int SAMPLED_SHARE = 32;

    /// How many standard deviations of its sampled position a place may lie off.
    private static final double MARGIN = 4;

    /// Bins of the sample: 2,048 for each power of two from 2^-58 on.
    private static final int SAMPLE_SHIFT = 41;

    private static final long LOWEST_BIN = (long) (1023 - 58) << (52 - SAMPLE_SHIFT);

    private static final long NAN_KEY = Double.doubleToLongBits(Double.NaN);

    /// Writes the magnitudes of one stream of a block: not negative, or NaN.
    interface Magnitudes {
        /// Called once for each block before its streams are asked for.
        void open(Block block);

        /// Magnitudes of the elements of the opened block.
        void write(int stream, Block block, double[] magnitudes);

        default long alignment() {
            return 1;
        }
    }

    /// Says which places of a stream to find, given how many of its magnitudes are not 0.
    interface Places {
        long[] of(int stream, long nonzero);
    }

    private interface StreamVisitor {
        void visit(Block block, int stream);
    }

    private final Task task;
    private final int streams;
    private final boolean lastFirst;
    private final Magnitudes magnitudes;
    private final double[] scratch;
    private final long[] keys;
    private final long[] found;
    private final MemorySegment scratchBytes;
    private final MemorySegment keyBytes;

    /// `lastFirst`: of equal magnitudes that with the greatest index comes first.
    Selection(Task task, int streams, boolean lastFirst, Magnitudes magnitudes) {
        this.task = task;
        this.streams = streams;
        this.lastFirst = lastFirst;
        this.magnitudes = magnitudes;
        int capacity = (int) Math.min(Sources.blockElements(magnitudes.alignment()), Math.max(1, task.elementCount()));
        this.scratch = new double[capacity];
        this.keys = new long[capacity];
        this.found = new long[capacity];
        this.scratchBytes = MemorySegment.ofArray(scratch);
        this.keyBytes = MemorySegment.ofArray(keys);
    }

    /// As [#find], after a sweep that counts what is not 0.
    Cut[][] findAmongNonzero(Places places) {
        long[] nonzero = new long[streams];
        sweep((block, stream) -> {
            magnitudes.write(stream, block, scratch);
            long count = 0;
            for (int j = 0; j < block.count(); j++) {
                count += scratch[j] == 0 ? 0 : 1;
            }
            nonzero[stream] += count;
        });
        return find(stream -> places.of(stream, nonzero[stream]));
    }

    /// The cut before which exactly `places[k]` elements lie, for each stream and place.
    Cut[][] find(IntFunction<long[]> places) {
        long n = task.elementCount();
        Cut[][] cuts = new Cut[streams][];
        List<Search> open = new ArrayList<>();
        for (int stream = 0; stream < streams; stream++) {
            long[] wanted = places.apply(stream);
            cuts[stream] = new Cut[wanted.length];
            for (int k = 0; k < wanted.length; k++) {
                if (wanted[k] <= 0) {
                    cuts[stream][k] = Cut.FIRST;
                } else if (wanted[k] >= n) {
                    cuts[stream][k] = Cut.LAST;
                } else {
                    open.add(new Search(stream, k, wanted[k]));
                }
            }
        }
        if (!open.isEmpty() && n > LEAST_SAMPLED) {
            sample(open);
        }
        while (!open.isEmpty()) {
            narrow(open);
            open.removeIf(search -> search.finish(cuts, this));
        }
        return cuts;
    }

    private static boolean[] asked(int streams, List<Search> open) {
        boolean[] asked = new boolean[streams];
        open.forEach(search -> asked[search.stream] = true);
        return asked;
    }

    private void sweep(StreamVisitor visitor) {
        task.sources().sweep(magnitudes.alignment(), block -> visit(block, visitor));
    }

    private void visit(Block block, StreamVisitor visitor) {
        magnitudes.open(block);
        for (int stream = 0; stream < streams; stream++) {
            visitor.visit(block, stream);
        }
    }

    private void sample(List<Search> open) {
        boolean[] asked = asked(streams, open);
        int[][] histograms = new int[streams][];
        for (int stream = 0; stream < streams; stream++) {
            histograms[stream] = new int[asked[stream] ? BINS : 0];
        }
        long wanted = Math.min(MOST_SAMPLES, task.elementCount() / SAMPLED_SHARE);
        long sampled = task.sources()
                .sample(
                        magnitudes.alignment(),
                        wanted,
                        block -> visit(block, (b, stream) -> {
                            if (asked[stream]) {
                                readKeys(stream, b);
                                for (int j = 0; j < b.count(); j++) {
                                    histograms[stream][bin(keys[j])]++;
                                }
                            }
                        }));
        open.forEach(search -> search.expect(histograms[search.stream], sampled, task.elementCount()));
    }

    private void narrow(List<Search> open) {
        open.forEach(Search::begin);
        boolean[] asked = asked(streams, open);
        sweep((block, stream) -> {
            if (!asked[stream]) {
                return;
            }
            readKeys(stream, block);
            for (Search search : open) {
                if (search.stream == stream) {
                    search.collect(block, keys, found);
                }
            }
        });
    }

    /// Puts the magnitudes of a stream into [#keys], as bits, which order as the magnitudes do.
    private void readKeys(int stream, Block block) {
        magnitudes.write(stream, block, scratch);
        MemorySegment.copy(scratchBytes, 0, keyBytes, 0, 8L * block.count());
        for (int j = 0; j < block.count(); j++) {
            keys[j] = Math.min(keys[j] & Long.MAX_VALUE, NAN_KEY);
        }
    }

    private Cut cut(int stream, long key, long block, long number) {
        long index = indexOf(stream, key, block, number);
        return new Cut(key, lastFirst ? index : index + 1, lastFirst);
    }

    /// The index of the `number`-th element, counted from 1, of magnitude `key` in the block beginning at
    /// `first`.
    private long indexOf(int stream, long key, long first, long number) {
        int count = (int) Math.min(scratch.length, task.elementCount() - first);
        try (Sources.Reader reader = task.sources().reader(count)) {
            Block block = reader.read(first, count);
            magnitudes.open(block);
            readKeys(stream, block);
        }
        long left = number;
        for (int j = 0; j < count; j++) {
            if (keys[j] == key) {
                left--;
                if (left == 0) {
                    return first + j;
                }
            }
        }
        throw task.undefined(
                "its elements changed while it was ranked",
                "a source was rewritten meanwhile",
                "open the models again");
    }

    private static int bin(long key) {
        return (int) Math.clamp((key >>> SAMPLE_SHIFT) - LOWEST_BIN, 0, BINS - 1);
    }

    /// The least key of bin `bin`.
    private static long edge(int bin) {
        return bin == 0 ? 0 : bin >= BINS ? Long.MAX_VALUE : (bin + LOWEST_BIN) << SAMPLE_SHIFT;
    }

    /// One place on its way to be found: the key at position `rank`, from 1, by falling size. It is looked for
    /// in `[low, high)`.
    private static final class Search {
        private final int stream;
        private final int slot;
        private final long rank;
        private long low;
        private long high = Long.MAX_VALUE;
        private long above;
        private long inside;
        private long[] histogram = new long[0];
        private int shift;
        private long[] keys = new long[0];
        private long[] counts = new long[0];
        private long[] blocks = new long[0];
        private int collected;
        private boolean tooMany;

        Search(int stream, int slot, long rank) {
            this.stream = stream;
            this.slot = slot;
            this.rank = rank;
        }

        /// Narrows to where the place most likely lies, going by a sample.
        void expect(int[] sample, long sampled, long elementCount) {
            double share = (double) rank / elementCount;
            double margin = MARGIN * Math.sqrt(sampled * share * (1 - share)) + MARGIN * MARGIN;
            long first = (long) Math.floor(share * sampled - margin);
            long last = (long) Math.ceil(share * sampled + margin);
            high = first < 1 ? Long.MAX_VALUE : edge(binAt(sample, first) + 1);
            low = last > sampled ? 0 : edge(binAt(sample, last));
        }

        private static int binAt(int[] sample, long position) {
            int bin = sample.length - 1;
            for (long left = position - sample[bin]; left > 0; left -= sample[bin]) {
                bin--;
            }
            return bin;
        }

        void begin() {
            int bits = 64 - Long.numberOfLeadingZeros(high - 1 - low);
            shift = Math.max(0, bits - 17);
            histogram = new long[BINS];
            keys = new long[64];
            counts = new long[64];
            blocks = new long[64];
            above = 0;
            inside = 0;
            collected = 0;
            tooMany = false;
        }

        void collect(Block block, long[] all, long[] found) {
            above += countAbove(all, block.count());
            int size = gather(all, block.count(), found);
            inside += size;
            for (int j = 0; j < size; j++) {
                histogram[(int) ((found[j] - low) >>> shift)]++;
            }
            if (!tooMany) {
                Arrays.sort(found, 0, size);
                for (int from = 0; from < size && !tooMany; ) {
                    int to = from;
                    while (to < size && found[to] == found[from]) {
                        to++;
                    }
                    append(found[from], to - from, block.first());
                    from = to;
                }
            }
        }

        private long countAbove(long[] all, int count) {
            long sum = 0;
            for (int j = 0; j < count; j++) {
                sum += (high - 1 - all[j]) >>> 63;
            }
            return sum;
        }

        /// Without a branch: which keys lie inside cannot be predicted.
        private int gather(long[] all, int count, long[] found) {
            long width = high - low;
            int size = 0;
            for (int j = 0; j < count; j++) {
                found[size] = all[j];
                size += Long.compareUnsigned(all[j] - low, width) < 0 ? 1 : 0;
            }
            return size;
        }

        private void append(long key, long count, long block) {
            if (collected == keys.length) {
                if (collected == MOST_COLLECTED) {
                    tooMany = true;
                    keys = new long[0];
                    counts = new long[0];
                    blocks = new long[0];
                    return;
                }
                keys = Arrays.copyOf(keys, 2 * collected);
                counts = Arrays.copyOf(counts, 2 * collected);
                blocks = Arrays.copyOf(blocks, 2 * collected);
            }
            keys[collected] = key;
            counts[collected] = count;
            blocks[collected] = block;
            collected++;
        }

        /// Puts the cut into its place and tells that it is done, or sets other bounds.
        boolean finish(Cut[][] cuts, Selection selection) {
            if (rank <= above) {
                low = high;
                high = Long.MAX_VALUE;
                return false;
            }
            if (rank > above + inside) {
                high = low;
                low = 0;
                return false;
            }
            if (tooMany) {
                narrowToBin();
                return false;
            }
            cuts[stream][slot] = place(selection);
            return true;
        }

        private void narrowToBin() {
            int bin = histogram.length - 1;
            for (long left = rank - above - histogram[bin]; left > 0; left -= histogram[bin]) {
                bin--;
            }
            long from = low + ((long) bin << shift);
            high = Math.min(high, from + (1L << shift));
            low = from;
        }

        private Cut place(Selection selection) {
            long[] distinct =
                    Arrays.stream(keys, 0, collected).sorted().distinct().toArray();
            long[] totals = new long[distinct.length];
            for (int i = 0; i < collected; i++) {
                totals[Arrays.binarySearch(distinct, keys[i])] += counts[i];
            }
            int at = distinct.length - 1;
            long left = rank - above;
            while (left > totals[at]) {
                left -= totals[at];
                at--;
            }
            long key = distinct[at];
            if (selection.lastFirst) {
                left = totals[at] - left + 1;
            }
            for (int i = 0; i < collected; i++) {
                if (keys[i] == key) {
                    if (left <= counts[i]) {
                        return selection.cut(stream, key, blocks[i], left);
                    }
                    left -= counts[i];
                }
            }
            throw new IllegalStateException("a place beyond the last element");
        }
    }
}
