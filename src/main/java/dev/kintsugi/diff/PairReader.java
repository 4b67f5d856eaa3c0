package dev.kintsugi.diff;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.Span;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.lang.foreign.MemorySegment;

/// Reads two tensors side by side and compares them block by block. One thread at a time.
final class PairReader {
    private final BlockReader readerOfA = new BlockReader();
    private final BlockReader readerOfB = new BlockReader();
    private final PairTile tile = new PairTile();

    /// The encoded scalars of one block of both.
    private record Block(DType typeOfA, DType typeOfB, MemorySegment a, MemorySegment b, long first, int count) {
        boolean sameType() {
            return typeOfA == typeOfB;
        }

        /// Whether scalars `[from, from + length)` are known to be the same without decoding them.
        boolean sameBytes(int from, int length) {
            int width = typeOfA.byteWidth();
            long start = (long) from * width;
            long end = start + (long) length * width;
            return sameType() && MemorySegment.mismatch(a, start, end, b, start, end) < 0;
        }
    }

    Differences compare(Tensor a, Tensor b, Span span, Tolerances tolerances, Job job) {
        DType typeOfA = a.spec().dtype();
        DType typeOfB = b.spec().dtype();
        int step = Math.min(BlockReader.blockElements(typeOfA), BlockReader.blockElements(typeOfB));
        int perElement = BlockReader.scalarsPerElement(typeOfA);
        Differences total = new Differences();
        long end = Math.addExact(span.firstElement(), span.elementCount());
        for (long from = span.firstElement(); from < end; from += step) {
            int count = (int) Math.min(step, end - from);
            Block block = new Block(
                    BlockReader.scalarType(typeOfA),
                    BlockReader.scalarType(typeOfB),
                    readerOfA.read(a, from, count),
                    readerOfB.read(b, from, count),
                    from * perElement,
                    count * perElement);
            total.merge(compare(block, tolerances));
            job.advance((long) count * (typeOfA.byteWidth() + typeOfB.byteWidth()));
        }
        return total;
    }

    /// Takes all scalars for finite at first, and does it over one by one if that was wrong.
    private Differences compare(Block block, Tolerances tolerances) {
        Differences quick = new Differences();
        quick.scalars = block.count();
        quick.finitePairs = block.count();
        quick.bytesDiffer = !block.sameBytes(0, block.count());
        tile.reset();
        for (int from = 0; from < block.count(); from += BlockReader.TILE) {
            int length = Math.min(BlockReader.TILE, block.count() - from);
            if (!quick.bytesDiffer || block.sameBytes(from, length)) {
                readerOfA.doubles(block.typeOfA(), block.a(), from, tile.a, length);
                tile.addEqual(length);
            } else {
                decode(block, from, length);
                tile.addFinite(length, block.first() + from, tolerances, quick);
                quick.maxUlps = Math.max(quick.maxUlps, ulps(block, from, length));
            }
        }
        if (tile.finish(quick)) {
            return quick;
        }
        Differences careful = new Differences();
        careful.bytesDiffer = quick.bytesDiffer;
        for (int from = 0; from < block.count(); from += BlockReader.TILE) {
            int length = Math.min(BlockReader.TILE, block.count() - from);
            decode(block, from, length);
            for (int i = 0; i < length; i++) {
                boolean bothFinite = tile.addOne(i, block.first() + from + i, tolerances, careful);
                if (bothFinite) {
                    careful.maxUlps = Math.max(careful.maxUlps, ulps(block, from + i, 1));
                }
            }
        }
        return careful;
    }

    private void decode(Block block, int from, int length) {
        readerOfA.doubles(block.typeOfA(), block.a(), from, tile.a, length);
        readerOfB.doubles(block.typeOfB(), block.b(), from, tile.b, length);
        tile.subtract(length);
        if (block.sameType() && (block.typeOfA() == DType.I64 || block.typeOfA() == DType.U64)) {
            tile.subtractLongs(block.a(), block.b(), from, length);
        }
    }

    private static long ulps(Block block, int from, int length) {
        return block.sameType() ? Ulps.greatest(block.typeOfA(), block.a(), block.b(), from, length) : 0;
    }
}
