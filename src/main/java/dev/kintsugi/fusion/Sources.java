package dev.kintsugi.fusion;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/// One tensor of every model and of the base, all of one shape, read and decoded block by block; those that are
/// computed themselves, such as weights with an adapter merged in, before their rounding.
final class Sources {
    /// Elements of a block, unless rows must stay whole. Decoded, those of a few models fit into the second cache.
    static final int BLOCK_ELEMENTS = 1 << 13;

    /// Elements that a sample takes from one spot, unless rows must stay whole.
    private static final int SAMPLE_ELEMENTS = 128;

    private static final Job SWEEP = new Job(1);

    private final List<Tensor> inputs;
    private final Optional<Tensor> base;
    private final List<Tensor> exactInputs;
    private final Optional<Tensor> exactBase;
    private final long elementCount;

    Sources(List<Tensor> inputs, Optional<Tensor> base) {
        this.inputs = List.copyOf(inputs);
        this.base = base;
        this.exactInputs = inputs.stream().map(Tensor::unrounded).toList();
        this.exactBase = base.map(Tensor::unrounded);
        this.elementCount = inputs.getFirst().spec().elementCount();
    }

    int models() {
        return inputs.size();
    }

    boolean hasBase() {
        return base.isPresent();
    }

    long elementCount() {
        return elementCount;
    }

    List<Tensor> inputs() {
        return inputs;
    }

    Optional<Tensor> base() {
        return base;
    }

    /// Elements per block if a block must hold whole runs of `alignment` elements.
    static int blockElements(long alignment) {
        long runs = Math.max(1, BLOCK_ELEMENTS / alignment);
        return Math.toIntExact(Math.multiplyExact(runs, alignment));
    }

    /// Reads all blocks in ascending order. The block given is the same object each time.
    void sweep(long alignment, Consumer<Block> visitor) {
        int blockElements = (int) Math.min(blockElements(alignment), Math.max(1, elementCount));
        Reader reader = new Reader(blockElements);
        for (long first = 0; first < elementCount; first += blockElements) {
            SWEEP.check();
            visitor.accept(reader.read(first, (int) Math.min(blockElements, elementCount - first)));
        }
    }

    /// Reads small blocks spread evenly over the tensor, about `elements` in all, in ascending order, and tells how
    /// many elements they had.
    long sample(long alignment, long elements, Consumer<Block> visitor) {
        int blockElements = Math.toIntExact(Math.ceilDiv(SAMPLE_ELEMENTS, alignment) * alignment);
        long blocks = Math.max(1, elements / blockElements);
        long runs = Math.max(1, elementCount / alignment / blocks);
        long step = Math.max(blockElements, runs * alignment);
        Reader reader = new Reader(blockElements);
        long sampled = 0;
        for (long first = 0; first < elementCount; first += step) {
            SWEEP.check();
            Block block = reader.read(first, (int) Math.min(blockElements, elementCount - first));
            visitor.accept(block);
            sampled += block.count();
        }
        return sampled;
    }

    Reader reader(int capacity) {
        return new Reader(capacity);
    }

    /// The buffers of one thread.
    final class Reader {
        private final MemorySegment bytes;
        private final Block block;

        private Reader(int capacity) {
            int width = 1;
            for (Tensor tensor : exactInputs) {
                width = Math.max(width, tensor.spec().dtype().byteWidth());
            }
            if (exactBase.isPresent()) {
                width = Math.max(width, exactBase.get().spec().dtype().byteWidth());
            }
            bytes = MemorySegment.ofArray(new byte[Math.multiplyExact(capacity, width)]);
            block = new Block(inputs.size(), base.isPresent(), capacity);
        }

        Block read(long first, int count) {
            block.moveTo(first, count);
            for (int i = 0; i < inputs.size(); i++) {
                decode(exactInputs.get(i), block.input(i));
            }
            exactBase.ifPresent(tensor -> decode(tensor, block.base()));
            return block;
        }

        private void decode(Tensor tensor, double[] target) {
            tensor.read(block.first(), block.count(), bytes);
            Elements.toDoubles(tensor.spec().dtype(), bytes, target, block.count());
        }
    }
}
