package dev.kintsugi.inspect;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.Span;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Runs over the spans of many tensors on the threads of a job and gives what each span came to, in order.
final class Sweep {
    private final BlockReader reader = new BlockReader();
    private final double[] tile = new double[BlockReader.TILE];
    private final Lanes lanes = new Lanes();

    Sweep() {}

    /// What to do with decoded scalars; the first is scalar `first` of its tensor.
    @FunctionalInterface
    interface Tile {
        void accept(double[] values, long first, int count);
    }

    /// What one span comes to. `tensor` is the index in the list given.
    @FunctionalInterface
    interface Task<R> {
        R run(Sweep sweep, int tensor, Span span);
    }

    private record Item(int tensor, Span span) {}

    /// The results of `task` per tensor and span.
    static <R> List<List<R>> over(List<Tensor> tensors, Job job, Task<R> task) {
        List<Item> items = new ArrayList<>();
        List<List<R>> results = new ArrayList<>();
        for (int i = 0; i < tensors.size(); i++) {
            results.add(new ArrayList<>());
            job.expect(tensors.get(i).spec().byteCount());
            for (Span span : Span.partition(tensors.get(i).spec())) {
                items.add(new Item(i, span));
            }
        }
        BlockReader.Pool<Sweep> pool = new BlockReader.Pool<>(Sweep::new);
        List<R> flat = Parallel.map(job, items, item -> pool.with(sweep -> task.run(sweep, item.tensor, item.span)));
        for (int i = 0; i < items.size(); i++) {
            results.get(items.get(i).tensor()).add(flat.get(i));
        }
        return results;
    }

    /// Decodes `span` of `tensor` tile by tile.
    void tiles(Tensor tensor, Span span, Job job, Tile action) {
        blocks(tensor, span, job, block -> block.tiles(action));
    }

    /// Reads `span` of `tensor` block by block; a block can be decoded more than once.
    void blocks(Tensor tensor, Span span, Job job, Consumer<Block> action) {
        DType dtype = tensor.spec().dtype();
        DType scalar = BlockReader.scalarType(dtype);
        int perElement = BlockReader.scalarsPerElement(dtype);
        reader.forEach(
                tensor,
                span,
                job::advance,
                (bytes, firstElement, elementCount) -> action.accept(
                        new Block(this, scalar, bytes, firstElement * perElement, elementCount * perElement)));
    }

    /// One block of scalars in its encoded form.
    record Block(Sweep sweep, DType dtype, MemorySegment bytes, long first, int count) {
        void tiles(Tile action) {
            double[] tile = sweep.tile;
            for (int from = 0; from < count; from += tile.length) {
                int length = Math.min(tile.length, count - from);
                sweep.reader.doubles(dtype, bytes, from, tile, length);
                action.accept(tile, first + from, length);
            }
        }

        /// Scratch of the thread that reads the block.
        Lanes lanes() {
            return sweep.lanes;
        }
    }
}
