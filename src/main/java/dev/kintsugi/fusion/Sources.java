package dev.kintsugi.fusion;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.stream.Stream;

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
        try (Reader reader = new Reader(blockElements)) {
            for (long first = 0; first < elementCount; first += blockElements) {
                SWEEP.check();
                visitor.accept(reader.read(first, (int) Math.min(blockElements, elementCount - first)));
            }
        }
    }

    /// Reads small blocks spread evenly over the tensor, about `elements` in all, in ascending order, and tells how
    /// many elements they had.
    long sample(long alignment, long elements, Consumer<Block> visitor) {
        int blockElements = Math.toIntExact(Math.ceilDiv(SAMPLE_ELEMENTS, alignment) * alignment);
        long blocks = Math.max(1, elements / blockElements);
        long runs = Math.max(1, elementCount / alignment / blocks);
        long step = Math.max(blockElements, runs * alignment);
        long sampled = 0;
        try (Reader reader = new Reader(blockElements)) {
            for (long first = 0; first < elementCount; first += step) {
                SWEEP.check();
                Block block = reader.read(first, (int) Math.min(blockElements, elementCount - first));
                visitor.accept(block);
                sampled += block.count();
            }
        }
        return sampled;
    }

    Reader reader(int capacity) {
        return new Reader(capacity);
    }

    /// The buffers of one thread, to be closed where it has read all.
    final class Reader implements AutoCloseable {
        private final List<Window> windows;
        private final Block block;

        private Reader(int capacity) {
            windows = Stream.concat(exactInputs.stream(), exactBase.stream())
                    .map(tensor -> new Window(tensor, capacity))
                    .toList();
            block = new Block(inputs.size(), base.isPresent(), capacity);
        }

        Block read(long first, int count) {
            block.moveTo(first, count);
            for (int i = 0; i < inputs.size(); i++) {
                windows.get(i).decode(first, count, block.input(i));
            }
            if (base.isPresent()) {
                windows.getLast().decode(first, count, block.base());
            }
            return block;
        }

        @Override
        public void close() {
            windows.forEach(Window::close);
        }
    }

    /// The stored bytes of a tensor where it is read, and some beyond, for long runs are read faster.
    private static final class Window {
        private static final long USUAL_BYTES = 256 << 10;

        /// Memory that costs to ask for, and is asked for at each read of a fused tensor.
        private static final ConcurrentLinkedQueue<MemorySegment> IDLE = new ConcurrentLinkedQueue<>();

        private final Tensor tensor;
        private final int width;
        private final MemorySegment bytes;
        private final long capacity;
        private long from;
        private long end;
        private boolean closed;

        Window(Tensor tensor, int blockElements) {
            this.tensor = tensor;
            this.width = tensor.spec().dtype().byteWidth();
            long needed = (long) blockElements * width;
            if (needed > USUAL_BYTES) {
                bytes = Arena.ofAuto().allocate(needed, Long.BYTES);
            } else {
                MemorySegment idle = IDLE.poll();
                bytes = idle == null ? Arena.ofAuto().allocate(USUAL_BYTES, Long.BYTES) : idle;
            }
            this.capacity = blockElements < BLOCK_ELEMENTS ? blockElements : bytes.byteSize() / width;
        }

        void decode(long first, int count, double[] target) {
            if (first < from || first + count > end) {
                long elements = Math.min(capacity, tensor.spec().elementCount() - first);
                tensor.read(first, elements, bytes.asSlice(0, elements * width));
                from = first;
                end = first + elements;
            }
            MemorySegment wanted = bytes.asSlice((first - from) * width, (long) count * width);
            Elements.toDoubles(tensor.spec().dtype(), wanted, target, count);
        }

        void close() {
            if (!closed && bytes.byteSize() == USUAL_BYTES) {
                IDLE.add(bytes);
            }
            closed = true;
        }
    }
}
