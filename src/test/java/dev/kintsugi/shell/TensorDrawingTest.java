package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import dev.kintsugi.MemoryTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.LocalSlice;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Drawings of random layouts against a grid painted piece by piece.
class TensorDrawingTest {
    private static Layout layout(Shape shape, DeviceMesh mesh, List<Placement> placements) {
        List<Piece> pieces = new ArrayList<>();
        List<Region> seen = new ArrayList<>();
        for (int rank = 0; rank < mesh.size(); rank++) {
            Region region = LocalSlice.of(
                            shape, mesh.shape(), mesh.coordinate(rank).orElseThrow(), placements)
                    .region();
            pieces.add(new Piece(rank, Path.of("rank_" + rank), "", 0, region, 0, seen.contains(region)));
            seen.add(region);
        }
        return new Layout(
                "w",
                "DTensor",
                new TensorSpec(DType.F32, shape),
                List.of(),
                placements.stream().map(Placement::toString).toList(),
                pieces);
    }

    @Test
    void everyCellHasTheLetterOfItsHolder() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int run = 0; run < 300; run++) {
            Shape shape = Shape.of(1 + random.nextInt(14), 1 + random.nextInt(20));
            DeviceMesh mesh =
                    DeviceMesh.dense(List.of("a", "b"), Shape.of(1 + random.nextInt(4), 1 + random.nextInt(3)));
            List<Placement> placements = new ArrayList<>();
            for (int dim = 0; dim < 2; dim++) {
                placements.add(
                        random.nextInt(3) == 0 ? new Placement.Replicate() : new Placement.Shard(random.nextInt(2)));
            }
            Layout layout = layout(shape, mesh, placements);
            List<String> expected = painted(layout);
            assertEquals(
                    expected,
                    TensorDrawing.of(layout, 0, TensorDrawing.MOST_ROWS).letters(),
                    "seed " + seed + ", " + shape + " on " + mesh + " as " + placements);
        }
    }

    /// Letters in the order in which boxes come up that hold something.
    private static List<String> painted(Layout layout) {
        Shape shape = layout.spec().shape();
        char[][] cells = new char[(int) shape.dim(0)][(int) shape.dim(1)];
        List<Region> boxes = new ArrayList<>();
        for (Piece piece : layout.pieces()) {
            Region box = piece.global();
            if (!box.isEmpty() && !boxes.contains(box)) {
                boxes.add(box);
            }
            char letter = (char) ('A' + boxes.indexOf(box));
            for (long row = box.offset().dim(0); row < box.end(0); row++) {
                for (long column = box.offset().dim(1); column < box.end(1); column++) {
                    cells[(int) row][(int) column] = letter;
                }
            }
        }
        return Arrays.stream(cells).map(String::new).toList();
    }

    @Test
    void moreThanTwoDimsAreDrawnWhereTheyAreSplit() {
        DeviceMesh mesh = DeviceMesh.dense(List.of("ep"), Shape.of(2));
        Layout layout = layout(Shape.of(4, 3, 5), mesh, List.of(new Placement.Shard(0)));
        TensorDrawing drawing = TensorDrawing.of(layout, 2, TensorDrawing.MOST_ROWS);
        assertEquals(List.of("dim 1 = 2"), drawing.fixed());
        assertEquals(List.of("AAAAA", "AAAAA", "BBBBB", "BBBBB"), drawing.letters());
    }

    @Test
    void largeTensorsAreDrawnSmallAndNoPieceIsLost() {
        DeviceMesh mesh = DeviceMesh.dense(List.of("fsdp"), Shape.of(40));
        Layout layout = layout(Shape.of(151_936, 4096), mesh, List.of(new Placement.Shard(0)));
        List<String> letters =
                TensorDrawing.of(layout, 0, TensorDrawing.MOST_ROWS).letters();
        assertEquals(40, letters.size());
        assertEquals(40, letters.stream().distinct().count());
        assertEquals(56, letters.getFirst().length());
    }

    @Test
    void scalarsAreOneCell() {
        DeviceMesh mesh = DeviceMesh.dense(List.of("fsdp"), Shape.of(2));
        Layout layout = layout(Shape.of(new long[0]), mesh, List.of(new Placement.Replicate()));
        assertEquals(
                List.of("A"),
                TensorDrawing.of(layout, 0, TensorDrawing.MOST_ROWS).letters());
    }

    @Test
    void boxesOfTensorsReadAsSlicesDo() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int run = 0; run < 200; run++) {
            int ndim = random.nextInt(4);
            long[] dims = new long[ndim];
            long[] offset = new long[ndim];
            long[] extent = new long[ndim];
            for (int dim = 0; dim < ndim; dim++) {
                dims[dim] = 1 + random.nextInt(6);
                offset[dim] = random.nextInt((int) dims[dim]);
                extent[dim] = 1 + random.nextInt((int) (dims[dim] - offset[dim]));
            }
            MemoryTensor whole = MemoryTensor.patterns(DType.BF16, Shape.of(dims), random);
            RegionTensor box = new RegionTensor(whole, new Region(Shape.of(offset), Shape.of(extent)));
            byte[] expected = new byte[Math.toIntExact(box.spec().byteCount())];
            for (int i = 0; i < expected.length / 2; i++) {
                long at = 0;
                long rest = i;
                long stride = 1;
                for (int dim = ndim - 1; dim >= 0; dim--) {
                    at += (offset[dim] + rest % extent[dim]) * stride;
                    rest /= extent[dim];
                    stride *= dims[dim];
                }
                expected[2 * i] = whole.bytes()[(int) at * 2];
                expected[2 * i + 1] = whole.bytes()[(int) at * 2 + 1];
            }
            assertArrayEquals(expected, Golden.bytes(box, 1 + random.nextInt(9)), "seed " + seed);
        }
    }
}
