package dev.kintsugi.fusion;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Finds places in the order of a tensor's magnitudes exactly, without sorting the tensor.
///
/// A first sweep counts magnitudes in 131,072 bins; a second collects the different magnitudes of the one bin
/// in which each place lies, with how often each block holds them, and counts again within the bin in case
/// they are too many. Two sweeps do for nearly any tensor.
/// **Memory.** 1 MiB for each stream and place, and at most 16 MiB for magnitudes collected.
final class Selection {
    private static final int BINS = 1 << 17;
    private static final int MOST_COLLECTED = 1 << 19;
    private static final long LOWEST_BIN = (long) (1023 - 192) << 9;

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

    private final Task task;
    private final int streams;
    private final boolean lastFirst;
    private final Magnitudes magnitudes;

    /// `lastFirst`: of equal magnitudes that with the greatest index comes first.
    Selection(Task task, int streams, boolean lastFirst, Magnitudes magnitudes) {
        this.task = task;
        this.streams = streams;
        this.lastFirst = lastFirst;
        this.magnitudes = magnitudes;
    }

    /// The cut before which exactly `places[k]` elements lie, for each stream and place.
    Cut[][] find(Places places) {
        long n = task.elementCount();
        long[][] histograms = new long[streams][BINS];
        long[] nonzero = new long[streams];
        double[] scratch = new double[capacity()];
        sweep((block, stream) -> {
            magnitudes.write(stream, block, scratch);
            long[] histogram = histograms[stream];
            for (int j = 0; j < block.count(); j++) {
                histogram[firstBin(Double.doubleToLongBits(scratch[j]))]++;
                nonzero[stream] += scratch[j] == 0 ? 0 : 1;
            }
        });
        Cut[][] cuts = new Cut[streams][];
        List<Search> open = new ArrayList<>();
        for (int stream = 0; stream < streams; stream++) {
            long[] wanted = places.of(stream, nonzero[stream]);
            cuts[stream] = new Cut[wanted.length];
            for (int k = 0; k < wanted.length; k++) {
                if (wanted[k] <= 0) {
                    cuts[stream][k] = Cut.FIRST;
                } else if (wanted[k] >= n) {
                    cuts[stream][k] = Cut.LAST;
                } else {
                    Search search = new Search(stream, k, wanted[k]);
                    search.narrowTo(histograms[stream]);
                    open.add(search);
                }
            }
        }
        while (!open.isEmpty()) {
            narrow(open, scratch);
            open.removeIf(search -> search.finish(cuts, this));
        }
        return cuts;
    }

    private int capacity() {
        return (int) Math.min(Sources.blockElements(magnitudes.alignment()), Math.max(1, task.elementCount()));
    }

    private interface StreamVisitor {
        void visit(Block block, int stream);
    }

    private void sweep(StreamVisitor visitor) {
        task.sources().sweep(magnitudes.alignment(), block -> {
            magnitudes.open(block);
            for (int stream = 0; stream < streams; stream++) {
                visitor.visit(block, stream);
            }
        });
    }

    private void narrow(List<Search> open, double[] scratch) {
        open.forEach(Search::begin);
        boolean[] asked = new boolean[streams];
        open.forEach(search -> asked[search.stream] = true);
        sweep((block, stream) -> {
            if (!asked[stream]) {
                return;
            }
            magnitudes.write(stream, block, scratch);
            for (Search search : open) {
                if (search.stream == stream) {
                    search.collect(block, scratch);
                }
            }
        });
    }

    private Cut cut(int stream, long key, long block, long number) {
        long index = indexOf(stream, key, block, number);
        return new Cut(key, lastFirst ? index : index + 1, lastFirst);
    }

    /// The index of the `number`-th element, counted from 1, of magnitude `key` in the block beginning at
    /// `first`.
    private long indexOf(int stream, long key, long first, long number) {
        int count = (int) Math.min(capacity(), task.elementCount() - first);
        Block block = task.sources().reader(count).read(first, count);
        double[] scratch = new double[count];
        magnitudes.open(block);
        magnitudes.write(stream, block, scratch);
        long left = number;
        for (int j = 0; j < count; j++) {
            if (Double.doubleToLongBits(scratch[j]) == key) {
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

    private static int firstBin(long bits) {
        return (int) Math.max(0, Math.min((bits >>> 43) - LOWEST_BIN, BINS - 1));
    }

    /// The least bits of bin `bin`, of the bins of the first sweep.
    private static long firstEdge(int bin) {
        return bin == 0 ? 0 : (bin + LOWEST_BIN) << 43;
    }

    /// One place on its way to be found: it lies at position `rank` (from 1) among the keys in `[low, high)`.
    private static final class Search {
        private final int stream;
        private final int slot;
        private long rank;
        private long low;
        private long high = Long.MAX_VALUE;
        private long[] histogram = new long[0];
        private int shift;
        private long[] keys = new long[0];
        private long[] counts = new long[0];
        private long[] blocks = new long[0];
        private int collected;
        private boolean tooMany;

        Search(int stream, int slot, long place) {
            this.stream = stream;
            this.slot = slot;
            this.rank = place;
        }

        /// Narrows to the bin of the first sweep that holds the place.
        void narrowTo(long[] first) {
            int bin = binOfRank(first);
            low = firstEdge(bin);
            high = bin == BINS - 1 ? Long.MAX_VALUE : firstEdge(bin + 1);
        }

        private int binOfRank(long[] counts) {
            int bin = counts.length - 1;
            while (rank > counts[bin]) {
                rank -= counts[bin];
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
            collected = 0;
            tooMany = false;
        }

        void collect(Block block, double[] magnitudes) {
            long[] found = new long[64];
            int size = 0;
            for (int j = 0; j < block.count(); j++) {
                long bits = Double.doubleToLongBits(magnitudes[j]);
                if (bits >= low && bits < high) {
                    histogram[(int) ((bits - low) >>> shift)]++;
                    if (size == found.length) {
                        found = Arrays.copyOf(found, 2 * size);
                    }
                    found[size++] = bits;
                }
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

        /// Puts the cut into its place and tells that it is done, or narrows further.
        boolean finish(Cut[][] cuts, Selection selection) {
            if (tooMany) {
                int bin = binOfRank(histogram);
                long from = low + ((long) bin << shift);
                high = Math.min(high, from + (1L << shift));
                low = from;
                return false;
            }
            long[] distinct =
                    Arrays.stream(keys, 0, collected).sorted().distinct().toArray();
            long[] totals = new long[distinct.length];
            for (int i = 0; i < collected; i++) {
                totals[Arrays.binarySearch(distinct, keys[i])] += counts[i];
            }
            int at = distinct.length - 1;
            while (rank > totals[at]) {
                rank -= totals[at];
                at--;
            }
            long key = distinct[at];
            if (selection.lastFirst) {
                rank = totals[at] - rank + 1;
            }
            for (int i = 0; i < collected; i++) {
                if (keys[i] == key) {
                    if (rank <= counts[i]) {
                        cuts[stream][slot] = selection.cut(stream, key, blocks[i], rank);
                        return true;
                    }
                    rank -= counts[i];
                }
            }
            throw new IllegalStateException("a place beyond the last element");
        }
    }
}
